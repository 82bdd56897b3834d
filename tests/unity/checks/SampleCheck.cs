// The sample's script in a scene: its keys make the character speak, fall silent and change its mood.
using System.Reflection;
using UnityEngine;
using Visavis;
using Visavis.Samples;

internal static class SampleCheck
{
    /// <summary>Its line is the voice of a file of 32-bit floats at 16 kHz: a model's mouth rests under other sounds.</summary>
    internal static void Talk(string where, string head, string voice)
    {
        var character = new Character(bare: true); // the sample adds its own head
        float[] speech = InGame.Floats(voice);
        var line = AudioClip.Create("line", speech.Length, 2, InGame.Rate, false);
        var samples = new float[2 * speech.Length];
        for (int i = 0; i < samples.Length; ++i) samples[i] = speech[i / 2] * (i % 2 == 0 ? 1.5f : 0.5f); // mixed: the voice
        line.SetData(samples, 0);
        var scene = new GameObject("Scene").AddComponent<Conversation>();
        Set(scene, "_headModel", character.Root);
        Set(scene, "_lines", new[] { line });
        if (where.StartsWith("asset:")) Set(scene, "_model", Character.ModelOf(where.Substring(6)));
        Set(scene, "_endpoint", where);
        Set(scene, "_head", head);
        var game = new Game();
        game.Until(() => character.Root.GetComponent<VisavisSource>() != null, 1);
        var shown = character.Root.GetComponent<VisavisHead>();
        bool live = game.Until(() => shown.Pose.State == VisavisState.Listening, 8);
        Press(game, KeyCode.Space);
        bool spoke = game.Until(() => shown.Pose.State == VisavisState.Speaking && character.Face.GetBlendShapeWeight(0) > 2f, 5);
        Press(game, KeyCode.Backspace);
        bool silent = game.Until(() => shown.Pose.State == VisavisState.Listening, 3);
        Press(game, KeyCode.J);
        bool glad = game.Until(() => shown.Pose.Weights[VisavisShapes.Find("mouthSmileLeft")] > 0.1f, 4);
        new Json().Add("live", live).Add("spoke", spoke).Add("silent", silent).Add("glad", glad).Print();
    }

    static void Press(Game game, KeyCode key)
    {
        Input.Down = key;
        game.Frame();
        Input.Down = null;
    }

    static void Set(Conversation scene, string field, object value)
    {
        typeof(Conversation).GetField(field, BindingFlags.Instance | BindingFlags.NonPublic).SetValue(scene, value);
    }
}
