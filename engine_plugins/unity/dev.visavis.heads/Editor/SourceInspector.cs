// Inspector of the sources: what they say, their figures, and the calls to try.
using UnityEditor;
using UnityEngine;

namespace Visavis.Editor
{
    [CustomEditor(typeof(VisavisSource), true)]
    public sealed class SourceInspector : UnityEditor.Editor
    {
        static AudioClip _clip;

        public override bool RequiresConstantRepaint() { return Application.isPlaying; }

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            if (!Application.isPlaying) return;
            var source = (VisavisSource)target;
            EditorGUILayout.HelpBox(source.Status, MessageType.Info);
            string figures = source.Figures;
            if (figures.Length > 0) EditorGUILayout.HelpBox(figures, MessageType.None);
            _clip = (AudioClip)EditorGUILayout.ObjectField("Speech to try", _clip, typeof(AudioClip), false);
            EditorGUILayout.BeginHorizontal();
            if (GUILayout.Button("Say it") && _clip != null) source.Say(_clip);
            if (GUILayout.Button("Interrupt")) source.Cancel();
            EditorGUILayout.EndHorizontal();
        }
    }
}
