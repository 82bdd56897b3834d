// Our own stand-in for the part of UnityEngine that the package uses: values.  Not Unity's code, and no proof of Unity.
using System;

namespace UnityEngine
{
    public struct Vector2
    {
        public float x, y;
        public static Vector2 zero { get { return new Vector2(); } }
    }

    public struct Vector3
    {
        public float x, y, z;
        public Vector3(float x, float y, float z) { this.x = x; this.y = y; this.z = z; }
    }

    public struct Rect
    {
        public float x, y, width, height;
    }

    public struct Quaternion
    {
        public float x, y, z, w;
        public Quaternion(float x, float y, float z, float w) { this.x = x; this.y = y; this.z = z; this.w = w; }
        public static Quaternion identity { get { return new Quaternion(0, 0, 0, 1); } }

        // The order that Unity documents: about z, then x, then y.
        public static Quaternion Euler(float x, float y, float z)
        {
            return About(y, 1) * About(x, 0) * About(z, 2);
        }

        static Quaternion About(float degrees, int axis)
        {
            double half = degrees * Math.PI / 360.0;
            float s = (float)Math.Sin(half), w = (float)Math.Cos(half);
            return new Quaternion(axis == 0 ? s : 0, axis == 1 ? s : 0, axis == 2 ? s : 0, w);
        }

        public static Quaternion operator *(Quaternion a, Quaternion b)
        {
            return new Quaternion(a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y, a.w * b.y + a.y * b.w + a.z * b.x - a.x * b.z,
                                  a.w * b.z + a.z * b.w + a.x * b.y - a.y * b.x, a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);
        }

        public static Quaternion Inverse(Quaternion q) { return new Quaternion(-q.x, -q.y, -q.z, q.w); }

        public Vector3 eulerAngles
        {
            get
            {
                double px = Math.Asin(Math.Max(-1.0, Math.Min(1.0, 2.0 * (w * x - y * z))));
                double py = Math.Atan2(2.0 * (w * y + x * z), 1.0 - 2.0 * (x * x + y * y));
                double pz = Math.Atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (x * x + z * z));
                return new Vector3(Positive(px), Positive(py), Positive(pz));
            }
        }

        static float Positive(double radians) { return (float)((radians * 180.0 / Math.PI + 360.0) % 360.0); }
    }

    public static class Mathf
    {
        public const float Deg2Rad = (float)(Math.PI / 180.0), Rad2Deg = (float)(180.0 / Math.PI);
        public static float Clamp01(float value) { return value < 0f ? 0f : value > 1f ? 1f : value; }
        public static float Max(float a, float b) { return a > b ? a : b; }
        public static int Max(int a, int b) { return a > b ? a : b; }
        public static float Abs(float value) { return Math.Abs(value); }
    }
}
