// Names, axes and bones, without any native library.
using System.Collections.Generic;
using System.Globalization;
using UnityEngine;
using Visavis;

/// <summary>A source whose pose a check sets.</summary>
public sealed class Puppet : VisavisSource
{
    public readonly VisavisPose Shown = new VisavisPose { State = VisavisState.Listening };
    public override bool Sample(VisavisPose pose)
    {
        Shown.Weights.CopyTo(pose.Weights, 0);
        pose.Yaw = Shown.Yaw;
        pose.Pitch = Shown.Pitch;
        pose.Roll = Shown.Roll;
        pose.State = Shown.State;
        return true;
    }
    public override string Status { get { return "a puppet"; } }
    internal override HeadHost Acquire(out string problem) { problem = null; return null; }
    internal override int Open(HeadHost host, out string problem) { problem = null; return -1; }
}

internal static class Rig
{
    internal static void Names(string[] names)
    {
        var found = new List<string>();
        foreach (string name in names)
        {
            int shape = VisavisShapes.Find(name);
            found.Add(shape < 0 ? "" : VisavisShapes.Name(shape));
        }
        var order = new List<string>();
        for (int shape = 0; shape < VisavisShapes.Count; ++shape) order.Add(VisavisShapes.Name(shape));
        new Json().Add("found", found).Add("order", order).Print();
    }

    /// <summary>Turns in degrees... of radians: yaw pitch roll, three by three; the bone of a whole character, and back.</summary>
    internal static void AxesOf(string[] angles)
    {
        var character = new Character();
        Quaternion rest = character.HeadInRoot();
        var puppet = character.Root.AddComponent<Puppet>();
        character.Shown.SetRig(null, null, character.Neck, null);
        character.Wake();
        var turns = new List<double[]>();
        var back = new List<double[]>();
        for (int i = 0; i + 2 < angles.Length; i += 3)
        {
            puppet.Shown.Yaw = Parse(angles[i]);
            puppet.Shown.Pitch = Parse(angles[i + 1]);
            puppet.Shown.Roll = Parse(angles[i + 2]);
            Player.Frame(0.016f);
            turns.Add(Json.Row(character.HeadTurn(rest)));
            Vector3 again = Axes.HeadAngles(character.HeadTurn(rest));
            back.Add(new double[] { again.x, again.y, again.z });
        }
        character.Shown.enabled = false;
        new Json().Add("turns", turns).Add("back", back).Add("released", new[] { Json.Row(character.HeadTurn(rest)) }).Print();
    }

    static float Parse(string number) { return float.Parse(number, CultureInfo.InvariantCulture); }

    /// <summary>An animation that sets the head bone each frame, or stops doing so: our turn comes on top, never twice.</summary>
    internal static void Animated()
    {
        var character = new Character();
        var puppet = character.Root.AddComponent<Puppet>();
        character.Wake();
        puppet.Shown.Yaw = 0.3f;
        var turns = new List<double[]>();
        for (int frame = 0; frame < 40; ++frame)
        {
            if (frame < 20) character.Head.localRotation = Character.BoneRest * Quaternion.Euler(0f, frame, 0f);
            Player.Frame(0.016f);
            Quaternion animated = character.Neck.rotation * Character.BoneRest * Quaternion.Euler(0f, System.Math.Min(frame, 19), 0f);
            Quaternion under = Quaternion.Inverse(character.Root.transform.rotation) * animated;
            turns.Add(Json.Row(character.HeadTurn(under)));
        }
        new Json().Add("turns", turns).Add("expected", new[] { Json.Row(Axes.HeadRotation(0.3f, 0f, 0f)) }).Print();
    }

    /// <summary>Speech in odd bursts of two rates goes through the queue as it came.</summary>
    internal static void Speech()
    {
        var queue = new SpeechQueue();
        var expected = new List<double[]>();
        var found = new List<double[]>();
        float value = 0f;
        int pushed = 0, refused = 0;
        for (int round = 0; round < 400; ++round)
        {
            int rate = round / 7 % 2 == 0 ? 24000 : 48000;
            var burst = new float[1 + round * 37 % 2000];
            for (int i = 0; i < burst.Length; ++i) burst[i] = value++;
            if (queue.Push(burst, burst.Length, rate)) pushed += burst.Length;
            else ++refused;
            foreach (float sample in burst) expected.Add(new double[] { sample, rate });
            float[] samples;
            int offset, count;
            while (queue.Seconds > 1.0 && queue.Peek(700, out samples, out offset, out count, out rate))
            {
                for (int i = 0; i < count; ++i) found.Add(new double[] { samples[offset + i], rate });
                queue.Pop(count);
            }
        }
        bool same = found.Count > 100000;
        for (int i = 0; i < found.Count; ++i) same &= found[i][0] == expected[i][0] && found[i][1] == expected[i][1];
        int left = pushed - found.Count;
        queue.Clear();
        bool full = !queue.Push(new float[8000 * 130], 8000 * 130, 8000) && queue.IsEmpty;
        new Json().Add("same", same).Add("left", left).Add("refused", refused).Add("full", full).Print();
    }
}
