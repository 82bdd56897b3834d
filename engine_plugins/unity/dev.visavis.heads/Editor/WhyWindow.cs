// Window > Visavis > Why does nothing move?: every head of the open scenes, and what is to be done.
using System.Collections.Generic;
using UnityEditor;
using UnityEngine;

namespace Visavis.Editor
{
    public sealed class WhyWindow : EditorWindow
    {
        const float RefreshSeconds = 0.5f;
        readonly List<string> _lines = new List<string>();
        double _drawn;
        Vector2 _scroll;

        [MenuItem("Window/Visavis/Why does nothing move?")]
        public static void Open() { GetWindow<WhyWindow>("Visavis"); }

        void Update()
        {
            if (EditorApplication.timeSinceStartup - _drawn < RefreshSeconds) return;
            _drawn = EditorApplication.timeSinceStartup;
            Repaint();
        }

        void OnGUI()
        {
            string runtime = Libraries.RuntimeProblem, client = Libraries.ClientProblem;
            if (runtime != null) EditorGUILayout.HelpBox(runtime, MessageType.Error);
            if (client != null) EditorGUILayout.HelpBox(client, MessageType.Error);
            if (!Application.isPlaying) EditorGUILayout.HelpBox("The scene does not play: heads move in play mode.", MessageType.Info);
            _scroll = EditorGUILayout.BeginScrollView(_scroll);
            int count = 0;
            foreach (VisavisHead head in Resources.FindObjectsOfTypeAll<VisavisHead>())
            {
                if (!head.gameObject.scene.IsValid()) continue; // prefabs
                ++count;
                Draw(head);
            }
            EditorGUILayout.EndScrollView();
            if (count == 0) EditorGUILayout.HelpBox("There is no VisavisHead in the scene: add one to a character.", MessageType.Warning);
        }

        void Draw(VisavisHead head)
        {
            EditorGUILayout.LabelField(head.name, EditorStyles.boldLabel);
            if (!Application.isPlaying) head.Look();
            Diagnosis.Explain(head, _lines);
            foreach (string line in _lines) EditorGUILayout.HelpBox(line, MessageType.None);
            if (GUILayout.Button("Select")) Selection.activeObject = head.gameObject;
        }
    }
}
