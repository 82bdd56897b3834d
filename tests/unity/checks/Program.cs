// Checks of the Unity package under Mono: `Checks.exe CASE ARGUMENTS` prints what it found; pytest judges.
using System;
using System.Threading;
using UnityEngine;
using Visavis;

internal static class Program
{
    internal static void Main(string[] arguments)
    {
        string[] rest = new string[arguments.Length - 1];
        Array.Copy(arguments, 1, rest, 0, rest.Length);
        switch (arguments[0])
        {
            case "layout": Layout.Print(); break;
            case "names": Rig.Names(rest); break;
            case "axes": Rig.AxesOf(rest); break;
            case "animated": Rig.Animated(); break;
            case "follow": Live.Follow(rest[0], rest[1], double.Parse(rest[2])); break;
            case "talk": Live.Talk(rest[0], rest[1]); break;
            case "listen": Live.Listen(rest[0], rest[1]); break;
            case "still": Live.Still(rest[0], rest[1], double.Parse(rest[2])); break;
            case "gone": Live.Gone(rest[0], rest[1]); break;
            case "garbage": Garbage.All(rest[0], rest[1], int.Parse(rest[2])); break;
            case "toggle": Live.Toggle(rest[0], rest[1]); break;
            case "editor": EditorCheck.All(rest[0], rest[1], rest[2]); break;
            case "sample": SampleCheck.Talk(rest[0], rest[1], rest[2]); break;
            case "converse": InGame.Converse(rest[0], rest[1], rest[2]); break;
            case "crowd": InGame.Crowd(rest[0], int.Parse(rest[1])); break;
            case "full": InGame.Full(rest[0]); break;
            case "spawn": InGame.Spawn(rest[0]); break;
            case "speech": Rig.Speech(); break;
            default: throw new ArgumentException("unknown check " + arguments[0]);
        }
        Player.Quit();
        Thread.Sleep(100); // clients are closed beside the game
    }
}

/// <summary>Frames of a game in real time.</summary>
internal sealed class Game
{
    internal const double FrameSeconds = 1.0 / 60;
    readonly DateTime _begin = DateTime.UtcNow; // mscorlib alone: there is less to compile ahead of time
    double _next;
    internal double WorstFrame;

    internal double Seconds { get { return (DateTime.UtcNow - _begin).TotalSeconds; } }

    internal void Frame()
    {
        double wait = _next - Seconds;
        if (wait > 0) Thread.Sleep((int)(wait * 1000));
        double start = Seconds;
        Player.Frame((float)FrameSeconds);
        WorstFrame = Math.Max(WorstFrame, Seconds - start);
        _next = Math.Max(_next + FrameSeconds, Seconds - 0.1);
    }

    internal bool Until(Func<bool> holds, double seconds)
    {
        for (double end = Seconds + seconds; Seconds < end;)
        {
            Frame();
            if (holds()) return true;
        }
        return false;
    }

    internal void For(double seconds) { Until(Never, seconds); }

    static bool Never() { return false; }
}
