// Our own stand-in for the part of UnityEngine that the package uses: objects, components and their life.
using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public class Object
    {
        internal static readonly List<Object> All = new List<Object>();
        bool _destroyed;
        public string name { get; set; }
        public Object() { name = ""; lock (All) All.Add(this); }

        public static void Destroy(Object what) { what._destroyed = true; lock (All) All.Remove(what); }
        /// <summary>Gives the thing itself: checks make what they need.</summary>
        public static T Instantiate<T>(T original) where T : Object { return original; }
        static bool Gone(Object what) { return ReferenceEquals(what, null) || what._destroyed; }
        public static bool operator ==(Object a, Object b) { return Gone(a) ? Gone(b) : ReferenceEquals(a, b); }
        public static bool operator !=(Object a, Object b) { return !(a == b); }
        public override bool Equals(object other) { return this == other as Object; }
        public override int GetHashCode() { return base.GetHashCode(); }
        public static implicit operator bool(Object what) { return what != null; }
    }

    public class Component : Object
    {
        public GameObject gameObject { get; internal set; }
        public Transform transform { get { return gameObject.transform; } }
        public T GetComponent<T>() where T : class { return gameObject.GetComponent<T>(); }
        public T GetComponentInParent<T>() where T : class { return gameObject.GetComponentInParent<T>(); }
        public T GetComponentInChildren<T>() where T : class
        {
            T[] found = gameObject.GetComponentsInChildren<T>();
            return found.Length > 0 ? found[0] : null;
        }
        public T[] GetComponentsInChildren<T>(bool alsoInactive = false) where T : class
        {
            return gameObject.GetComponentsInChildren<T>(); // all are found here
        }
    }

    public class Behaviour : Component
    {
        internal bool On;
        public bool isActiveAndEnabled { get { return On; } }
        public bool enabled { get { return On; } set { Player.Enable(this, value); } }
    }

    public class MonoBehaviour : Behaviour
    {
        internal Action OnStart, OnUpdate, OnLateUpdate, OnDisabled, OnEnabled;
        internal Action<float[], int> OnFilter;
    }

    public class Transform : Component
    {
        internal readonly List<Transform> Children = new List<Transform>();
        public Transform parent { get; private set; }
        public Quaternion localRotation { get; set; }
        public int childCount { get { return Children.Count; } }
        public Transform GetChild(int index) { return Children[index]; }

        public Quaternion rotation
        {
            get { return parent == null ? localRotation : parent.rotation * localRotation; }
            set { localRotation = parent == null ? value : Quaternion.Inverse(parent.rotation) * value; }
        }

        public void SetParent(Transform to)
        {
            parent = to;
            to.Children.Add(this);
        }
    }

    public sealed class GameObject : Object
    {
        readonly List<Component> _components = new List<Component>();
        public Transform transform { get; private set; }
        public SceneManagement.Scene scene { get { return new SceneManagement.Scene(); } }
        public bool activeSelf { get; private set; }

        public GameObject(string name)
        {
            this.name = name;
            activeSelf = true;
            transform = new Transform { gameObject = this, localRotation = Quaternion.identity, name = name };
            _components.Add(transform);
        }

        public T AddComponent<T>() where T : Component, new()
        {
            var made = new T { gameObject = this, name = name };
            _components.Add(made);
            var behaviour = made as MonoBehaviour;
            if (behaviour != null) Player.Start(behaviour);
            else if (made is Behaviour) Player.Enable(made as Behaviour, activeSelf);
            return made;
        }

        /// <summary>Of this object alone: its children go their own way here.</summary>
        public void SetActive(bool active)
        {
            activeSelf = active;
            foreach (Component one in _components.ToArray())
            {
                var behaviour = one as Behaviour;
                if (behaviour != null) Player.Enable(behaviour, active);
            }
        }

        public T GetComponent<T>() where T : class
        {
            foreach (Component one in _components) if (one is T) return one as T;
            return null;
        }

        public T GetComponentInParent<T>() where T : class
        {
            for (Transform at = transform; at != null; at = at.parent)
            {
                T found = at.gameObject.GetComponent<T>();
                if (found != null) return found;
            }
            return null;
        }

        public T[] GetComponentsInChildren<T>() where T : class
        {
            var found = new List<T>();
            Collect(found);
            return found.ToArray();
        }

        void Collect<T>(List<T> found) where T : class
        {
            foreach (Component one in _components) if (one is T) found.Add(one as T);
            foreach (Transform child in transform.Children) child.gameObject.Collect(found);
        }
    }

    public static class Resources
    {
        public static T[] FindObjectsOfTypeAll<T>() where T : Object
        {
            var found = new List<T>();
            lock (Object.All) foreach (Object one in Object.All) if (one is T) found.Add((T)one);
            return found.ToArray();
        }
    }

    namespace SceneManagement
    {
        public struct Scene
        {
            public bool IsValid() { return true; }
        }
    }

    [AttributeUsage(AttributeTargets.Field)] public sealed class SerializeField : Attribute { }
    [AttributeUsage(AttributeTargets.Field)] public sealed class TooltipAttribute : Attribute { public TooltipAttribute(string text) { } }
    [AttributeUsage(AttributeTargets.Field)] public sealed class RangeAttribute : Attribute { public RangeAttribute(float min, float max) { } }
    [AttributeUsage(AttributeTargets.Field)] public sealed class HeaderAttribute : Attribute { public HeaderAttribute(string text) { } }
    public enum RuntimeInitializeLoadType { SubsystemRegistration }
    [AttributeUsage(AttributeTargets.Method)] public sealed class RuntimeInitializeOnLoadMethodAttribute : Attribute { public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType type) { } }
    [AttributeUsage(AttributeTargets.Class)] public sealed class AddComponentMenu : Attribute { public AddComponentMenu(string path) { } }
    [AttributeUsage(AttributeTargets.Class)] public sealed class DisallowMultipleComponent : Attribute { }
    [AttributeUsage(AttributeTargets.Class)] public sealed class RequireComponent : Attribute { public RequireComponent(Type type) { } }
}
