// Characters that follow a server, through the real native library, in real time.
using System;
using System.Collections.Generic;
using System.Threading;
using UnityEngine;
using Visavis;

internal static class Live
{
    /// <summary>Rows of what is shown: session time, jaw on three meshes' spellings, left blink, the head's angles.</summary>
    internal static void Follow(string endpoint, string head, double seconds)
    {
        var character = new Character();
        Quaternion rest = character.HeadInRoot();
        VisavisSource source = character.From(endpoint, head);
        character.Wake();
        var game = new Game();
        var rows = new List<double[]>();
        while (game.Seconds < seconds)
        {
            game.Frame();
            VisavisPose pose = character.Shown.Pose;
            Vector3 angles = Axes.HeadAngles(character.HeadTurn(rest));
            rows.Add(new double[]
            {
                pose.SessionNs, character.Face.GetBlendShapeWeight(0), character.Face.GetBlendShapeWeight(1),
                character.Face.GetBlendShapeWeight(3), character.Teeth.GetBlendShapeWeight(0), character.Face.GetBlendShapeWeight(2),
                character.Face.GetBlendShapeWeight(4), character.Face.GetBlendShapeWeight(5), angles.x, angles.y, angles.z, (int)pose.State,
            });
        }
        new Json().Add("rows", rows).Add("status", source.Status).Add("figures", source.Figures).Add("log", Debugged())
            .Add("driven", character.Shown.BlendShapesDriven).Add("found", character.Shown.ShapesFound).Print();
    }

    static List<string> Debugged() { return Debug.Lines; }

    /// <summary>A voice that rises from 0.1 by 0.27 a second is spoken: what is heard and what is shown at the same moment.</summary>
    internal static void Talk(string endpoint, string head)
    {
        const int rate = 24000;
        var speech = new float[rate * 3];
        for (int i = 0; i < speech.Length; ++i) speech[i] = 0.1f + 0.27f * i / rate;
        var character = new Character();
        VisavisSource source = character.From(endpoint, head);
        character.Speaks();
        character.Wake();
        var game = new Game();
        game.Until(() => character.Shown.Pose.State == VisavisState.Listening, 8);
        for (int i = 0; i < 30; ++i) source.PushAgentAudio(Part(speech, i, 30), speech.Length / 30, rate); // bursts
        var block = new float[480 * 2];
        var rows = new List<double[]>();
        double mixed = game.Seconds, start = mixed;
        bool interrupted = false;
        while (game.Seconds < start + 4)
        {
            for (; mixed < game.Seconds; mixed += 0.01) Player.Mix(block, 2);
            game.Frame();
            VisavisPose pose = character.Shown.Pose;
            double jaw = character.Face.GetBlendShapeWeight(0) / 100;
            rows.Add(new double[] { game.Seconds - start, block[0], block[1], jaw, (int)pose.State, pose.SessionNs });
            if (!interrupted && block[0] > 0.6f)
            {
                interrupted = true;
                source.Cancel();
            }
        }
        new Json().Add("rows", rows).Add("log", Debugged()).Print();
    }

    static float[] Part(float[] whole, int index, int parts)
    {
        var part = new float[whole.Length / parts];
        Array.Copy(whole, index * part.Length, part, 0, part.Length);
        return part;
    }

    /// <summary>The microphone hears a tone, a face is tracked, a dial is set: what the head does.</summary>
    internal static void Listen(string endpoint, string head)
    {
        var character = new Character();
        VisavisSource source = character.From(endpoint, head);
        var stream = source as VisavisStream;
        if (stream != null) stream.OpenHead = true;
        source.Dials.Add(new VisavisDial { name = "temperature", value = 0.5f });
        source.Dials.Add(new VisavisDial { name = "no such dial", value = 1f });
        character.Wake();
        var microphone = new GameObject("Player").AddComponent<VisavisMicrophone>();
        microphone.Listeners = new VisavisSource[] { source };
        var game = new Game();
        var tone = new float[800];
        for (int i = 0; i < tone.Length; ++i) tone[i] = i / 40 % 2 == 0 ? 0.4f : -0.4f;
        var face = new float[VisavisShapes.Count + 3];
        face[VisavisShapes.Find("mouthSmileLeft")] = 0.8f;
        double pitch = 0, smile = 0;
        double heard = 0;
        while (game.Seconds < 6 && (pitch < 0.3 || smile < 0.7))
        {
            for (; heard < game.Seconds; heard += tone.Length / 48000.0) Microphone.Hear(tone);
            source.PushUserFace(face);
            game.Frame();
            pitch = Math.Max(pitch, character.Shown.Pose.Pitch);
            smile = Math.Max(smile, character.Shown.Pose.Weights[VisavisShapes.Find("mouthSmileLeft")]);
        }
        game.For(0.2);
        new Json().Add("pitch", pitch).Add("smile", smile).Add("log", Debugged()).Add("status", source.Status).Print();
    }

    /// <summary>A head that cannot move: what the log says, that it is neutral, and that no frame waits.</summary>
    internal static void Still(string endpoint, string head, double seconds)
    {
        var character = new Character();
        VisavisSource source = character.From(endpoint, head);
        character.Speaks();
        character.Wake();
        var second = new Character();
        second.From(endpoint, head);
        second.Wake();
        var game = new Game();
        var block = new float[960];
        while (game.Seconds < seconds)
        {
            game.Frame();
            Player.Mix(block, 2);
        }
        bool silent = true;
        foreach (float sample in block) silent &= sample == 0f;
        var why = new List<string>();
        Diagnosis.Explain(character.Shown, why);
        new Json().Add("log", Debugged()).Add("status", source.Status).Add("state", (int)character.Shown.Pose.State)
            .Add("jaw", character.Face.GetBlendShapeWeight(0)).Add("worst_frame", game.WorstFrame).Add("silent", silent)
            .Add("why", why).Print();
    }

    /// <summary>Prints "moving" when the head does; then, its server gone, how the jaw comes to rest; then waits for the server again.</summary>
    internal static void Gone(string endpoint, string head)
    {
        var character = new Character();
        character.From(endpoint, head);
        character.Wake();
        var game = new Game();
        game.Until(() => character.Face.GetBlendShapeWeight(0) > 30f, 10);
        Console.WriteLine("moving");
        var rows = new List<double[]>();
        game.Until(() => (character.Shown.Pose.State & VisavisState.Held) != 0, 10);
        double start = game.Seconds;
        game.Until(() =>
        {
            rows.Add(new double[] { game.Seconds - start, character.Face.GetBlendShapeWeight(0) });
            return (character.Shown.Pose.State & VisavisState.Neutral) != 0;
        }, 10);
        Console.WriteLine("neutral");
        bool back = game.Until(() => character.Face.GetBlendShapeWeight(0) > 30f, 15);
        new Json().Add("rows", rows).Add("back", back).Add("worst_frame", game.WorstFrame).Add("log", Debugged()).Print();
    }

    /// <summary>Sound on a thread of its own, the character switched off and on: no crash, no stall, no thread left.</summary>
    internal static void Toggle(string endpoint, string head)
    {
        var before = Threads();
        var character = new Character();
        character.From(endpoint, head);
        character.Speaks();
        character.Wake();
        bool over = false;
        var sound = new Thread(() =>
        {
            var block = new float[960];
            while (!Volatile.Read(ref over)) Player.Mix(block, 2);
        });
        sound.Start();
        var game = new Game();
        double worst = 0;
        for (int i = 0; i < 12; ++i)
        {
            game.For(0.04);
            double start = game.Seconds;
            character.Root.SetActive(false);
            worst = Math.Max(worst, game.Seconds - start);
            game.Frame();
            character.Root.SetActive(true);
        }
        bool moves = game.Until(() => character.Shown.Pose.State == VisavisState.Listening, 8);
        character.Root.SetActive(false);
        Volatile.Write(ref over, true);
        sound.Join();
        int after = Threads();
        for (int i = 0; i < 100 && after > before; ++i) // the last client is closed beside the game
        {
            Thread.Sleep(20);
            after = Threads();
        }
        new Json().Add("worst_disable", worst).Add("moves", moves).Add("threads", after - before).Print();
    }

    static int Threads() { return System.IO.Directory.GetDirectories("/proc/self/task").Length; }
}
