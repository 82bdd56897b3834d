// Inspector of VisavisHead: what it drives, and what it shows at this moment.
using UnityEditor;
using UnityEngine;

namespace Visavis.Editor
{
    [CustomEditor(typeof(VisavisHead))]
    public sealed class HeadInspector : UnityEditor.Editor
    {
        const float RowHeight = 14f;
        static bool _showAll;

        public override bool RequiresConstantRepaint() { return Application.isPlaying; }

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            var head = (VisavisHead)target;
            if (!Application.isPlaying)
            {
                if (GUILayout.Button("Count its shapes")) head.Look();
                if (head.BlendShapesDriven > 0) EditorGUILayout.HelpBox(Counts(head), MessageType.Info);
                return;
            }
            string problem = Diagnosis.OfRig(head);
            if (problem != null) EditorGUILayout.HelpBox(problem, MessageType.Error);
            else EditorGUILayout.HelpBox(head.Source.Status, MessageType.Info);
            EditorGUILayout.LabelField("Drives", Counts(head));
            DrawPose(head.Pose);
        }

        static string Counts(VisavisHead head)
        {
            return head.ShapesFound + " of 52 shapes in " + head.BlendShapesDriven + " blend shapes; head bone: " +
                   (head.HeadBone == null ? "none" : head.HeadBone.name);
        }

        static void DrawPose(VisavisPose pose)
        {
            EditorGUILayout.LabelField("State", pose.State.ToString());
            EditorGUILayout.LabelField("Yaw, pitch, roll", string.Format("{0:0}, {1:0}, {2:0} degrees",
                pose.Yaw * Mathf.Rad2Deg, pose.Pitch * Mathf.Rad2Deg, pose.Roll * Mathf.Rad2Deg));
            _showAll = EditorGUILayout.Foldout(_showAll, "All shapes");
            for (int shape = 0; shape < VisavisShapes.Count; ++shape)
            {
                if (!_showAll && pose.Weights[shape] < 0.02f) continue;
                Rect row = EditorGUILayout.GetControlRect(false, RowHeight);
                EditorGUI.ProgressBar(row, pose.Weights[shape], VisavisShapes.Name(shape));
            }
        }
    }
}
