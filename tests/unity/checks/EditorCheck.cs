// Inspectors and the window, drawn into the stand-in's list.
using System.Reflection;
using UnityEditor;
using UnityEngine;
using Visavis;
using Visavis.Editor;

internal static class EditorCheck
{
    /// <summary>Drawn while the voice of a file of 32-bit floats at 16 kHz opens the mouth.</summary>
    internal static void All(string endpoint, string head, string voice)
    {
        var character = new Character();
        VisavisSource source = character.From(endpoint, head);
        Application.isPlaying = false;
        var json = new Json();
        json.Add("window_edit", Window()).Add("head_edit", Drawn(new HeadInspector { target = character.Shown }));
        Application.isPlaying = true;
        character.Wake();
        var game = new Game();
        game.Until(() => character.Shown.Pose.State == VisavisState.Listening, 10);
        float[] speech = InGame.Floats(voice);
        source.PushAgentAudio(speech, speech.Length, InGame.Rate);
        game.Until(() => character.Shown.Pose.Weights[17] > 0.1f, 5);
        json.Add("head", Drawn(new HeadInspector { target = character.Shown }));
        json.Add("source", Drawn(new SourceInspector { target = source })).Add("window", Window());
        new GameObject("Nobody").AddComponent<VisavisHead>();
        source.enabled = false;
        json.Add("off", Window()).Add("model", ModelAfterReset()).Print();
    }

    static string[] Drawn(UnityEditor.Editor editor)
    {
        EditorGUILayout.Drawn.Clear();
        editor.OnInspectorGUI();
        return EditorGUILayout.Drawn.ToArray();
    }

    // As the editor does when the component is added.
    static string ModelAfterReset()
    {
        var scene = new GameObject("New");
        scene.SetActive(false);
        var character = scene.AddComponent<VisavisCharacter>();
        typeof(VisavisCharacter).GetMethod("Reset", BindingFlags.Instance | BindingFlags.NonPublic).Invoke(character, null);
        return character.Model.name;
    }

    static string[] Window()
    {
        EditorGUILayout.Drawn.Clear();
        var window = EditorWindow.GetWindow<WhyWindow>("Visavis");
        typeof(WhyWindow).GetMethod("OnGUI", BindingFlags.Instance | BindingFlags.NonPublic).Invoke(window, null);
        return EditorGUILayout.Drawn.ToArray();
    }
}
