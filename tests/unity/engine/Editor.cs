// Our own stand-in for the part of UnityEditor and IMGUI that the package uses: it keeps what would be drawn.
using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public static class GUILayout
    {
        public static string Pressed = "";
        public static bool Button(string text) { UnityEditor.EditorGUILayout.Drawn.Add("button: " + text); return text == Pressed; }
    }

    public class GUIStyle { }
}

namespace UnityEditor
{
    using UnityEngine;

    public enum MessageType { None, Info, Warning, Error }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class CustomEditor : Attribute
    {
        public CustomEditor(Type type) { }
        public CustomEditor(Type type, bool forChildren) { }
    }

    [AttributeUsage(AttributeTargets.Method)] public sealed class MenuItem : Attribute { public MenuItem(string path) { } }

    public class Editor : UnityEngine.Object
    {
        public UnityEngine.Object target { get; set; }
        public bool DrawDefaultInspector() { return true; }
        public virtual bool RequiresConstantRepaint() { return false; }
        public virtual void OnInspectorGUI() { }
    }

    public class EditorWindow : UnityEngine.Object
    {
        public static T GetWindow<T>(string title) where T : EditorWindow, new() { return new T { name = title }; }
        public void Repaint() { }
    }

    /// <summary>Has an asset at every path, called like it.</summary>
    public static class AssetDatabase
    {
        public static T LoadAssetAtPath<T>(string path) where T : UnityEngine.Object { return new TextAsset(new byte[0]) { name = path } as T; }
    }

    public static class EditorApplication { public static double timeSinceStartup { get { return 0; } } }
    public static class EditorStyles { public static GUIStyle boldLabel { get { return null; } } }
    public static class Selection { public static UnityEngine.Object activeObject { get; set; } }

    public static class EditorGUI
    {
        public static void ProgressBar(Rect at, float value, string text) { EditorGUILayout.Drawn.Add("bar: " + text); }
    }

    public static class EditorGUILayout
    {
        public static readonly List<string> Drawn = new List<string>();
        public static void HelpBox(string text, MessageType type) { Drawn.Add(type + ": " + text); }
        public static void LabelField(string text, string value) { Drawn.Add(text + ": " + value); }
        public static void LabelField(string text, GUIStyle style) { Drawn.Add(text); }
        public static bool Foldout(bool open, string text) { return open; }
        public static Rect GetControlRect(bool label, float height) { return new Rect(); }
        public static Vector2 BeginScrollView(Vector2 at) { return at; }
        public static void EndScrollView() { }
        public static void BeginHorizontal() { }
        public static void EndHorizontal() { }
        public static UnityEngine.Object ObjectField(string text, UnityEngine.Object now, Type type, bool scene) { return now; }
    }
}
