// Characters computed in the game, through the real runtime, in real time.
using System;
using System.Collections.Generic;
using System.IO;
using UnityEngine;
using Visavis;

internal static class InGame
{
    internal const int Rate = 16000;

    /// <summary>Two voices from files of 32-bit floats at 16 kHz, the player's by the microphone: what is heard and shown.</summary>
    internal static void Converse(string where, string agentFile, string userFile)
    {
        float[] agent = Floats(agentFile), user = Floats(userFile);
        var character = new Character();
        VisavisSource source = character.From(where, "");
        source.Dials.Add(new VisavisDial { name = "headYaw.offset", value = 0.25f });
        character.Speaks();
        var microphone = new GameObject("Player").AddComponent<VisavisMicrophone>();
        microphone.Listeners = new[] { source };
        var game = new Game();
        character.Wake();
        string loading = source.Status;
        game.Frame();
        double wake = game.WorstFrame;
        bool ready = game.Until(() => character.Shown.Pose.State == VisavisState.Listening, 20);
        var tone = new float[480];
        var block = new float[480 * 2];
        var rows = new List<double[]>();
        double mixed = game.Seconds, start = mixed, loudest = 0;
        source.PushAgentAudio(agent, agent.Length, Rate);
        game.WorstFrame = 0;
        while (game.Seconds < start + (double)agent.Length / Rate + 1)
        {
            for (; mixed < game.Seconds; mixed += 0.01)
            {
                Stretch(user, mixed - start, tone);
                Microphone.Hear(tone);
                Player.Mix(block, 2);
                foreach (float sample in block) loudest = Math.Max(loudest * 0.999, Math.Abs(sample));
            }
            game.Frame();
            VisavisPose pose = character.Shown.Pose;
            rows.Add(new double[]
            {
                game.Seconds - start, loudest, (int)pose.State, pose.SessionNs, pose.Weights[17], pose.Weights[0], pose.Yaw, pose.Pitch,
            });
        }
        new Json().Add("rows", rows).Add("ready", ready).Add("loading", loading).Add("wake", wake).Add("status", source.Status)
            .Add("figures", source.Figures).Add("worst_frame", game.WorstFrame).Add("log", Debug.Lines).Print();
    }

    internal static float[] Floats(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        var floats = new float[bytes.Length / 4];
        Buffer.BlockCopy(bytes, 0, floats, 0, bytes.Length);
        return floats;
    }

    // 16 kHz at 48 kHz, by the nearest sample.
    static void Stretch(float[] voice, double seconds, float[] into)
    {
        for (int i = 0; i < into.Length; ++i)
        {
            int at = (int)((seconds + i / 48000.0) * Rate);
            into[i] = at >= 0 && at < voice.Length ? voice[at] : 0f;
        }
    }

    /// <summary>Many characters with one model: they move, each in its own way.</summary>
    internal static void Crowd(string where, int count)
    {
        var all = new List<Character>();
        for (int i = 0; i < count; ++i)
        {
            all.Add(new Character());
            var character = (VisavisCharacter)all[i].From(where, "");
            character.Seed = 0;
            character.MaxLoad = 4f; // on a busy machine too
            all[i].Wake();
        }
        var game = new Game();
        int moving = 0;
        game.Until(() =>
        {
            moving = 0;
            foreach (Character one in all) moving += one.Shown.Pose.State == VisavisState.Listening ? 1 : 0;
            return moving == count;
        }, 20);
        game.WorstFrame = 0;
        var yaws = new List<double[]>();
        game.Until(() =>
        {
            var row = new double[count];
            for (int i = 0; i < count; ++i) row[i] = all[i].Shown.Pose.Yaw;
            yaws.Add(row);
            return false;
        }, 2);
        new Json().Add("moving", moving).Add("yaws", yaws).Add("worst_frame", game.WorstFrame)
            .Add("figures", all[0].Shown.Source.Figures).Add("log", Debug.Lines).Print();
    }

    /// <summary>One character more than the processor may be used for: it waits until another one goes.</summary>
    internal static void Full(string where)
    {
        var all = new List<Character>();
        for (int i = 0; i < 120; ++i)
        {
            var one = new Character();
            ((VisavisCharacter)one.From(where, "")).MaxLoad = 0.12f;
            all.Add(one);
            one.Wake();
        }
        var game = new Game();
        game.Until(() => all[0].Shown.Pose.State == VisavisState.Listening, 20);
        game.For(1);
        Character waits = all.Find(one => one.Shown.Source.Status.Contains("max_load"));
        string status = waits == null ? "" : waits.Shown.Source.Status;
        for (int i = 0; i < 120; ++i) if (all[i] != waits) all[i].Root.SetActive(false);
        bool moves = waits != null && game.Until(() => waits.Shown.Pose.State == VisavisState.Listening, 10);
        new Json().Add("status", status).Add("moves", moves).Add("log", Debug.Lines).Print();
    }

    /// <summary>Characters come and go, also while the model is being loaded; more than the library has names.</summary>
    internal static void Spawn(string where)
    {
        var game = new Game();
        var first = new Character();
        first.From(where, "");
        for (int i = 0; i < 5; ++i) // the model is dropped while it is loaded
        {
            first.Wake();
            game.Frame();
            first.Root.SetActive(false);
        }
        first.Wake();
        bool ready = game.Until(() => first.Shown.Pose.State == VisavisState.Listening, 20);
        var other = new Character();
        other.From(where, "");
        for (int i = 0; i < 150; ++i)
        {
            other.Wake();
            Player.Frame(0.001f);
            other.Root.SetActive(false);
        }
        other.Wake();
        bool again = game.Until(() => other.Shown.Pose.State == VisavisState.Listening, 20);
        first.Root.SetActive(false);
        bool stays = game.Until(() => other.Shown.Pose.State == VisavisState.Listening, 2);
        new Json().Add("ready", ready).Add("again", again).Add("stays", stays).Add("log", Debug.Lines).Print();
    }
}
