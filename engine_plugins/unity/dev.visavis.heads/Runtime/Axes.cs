// Between ARKit's axes and Unity's: the one place where axes are converted.
//
// ARKit: x to the person's own left, y up, z out of the face, right-handed; yaw about y, pitch about x, roll about z, in
// the order Y X Z, radians.  Unity, for a character that faces +Z: x to its own right, y up, z out of the face,
// left-handed.  The one is the other mirrored at x = 0: turns about x stay, turns about y and z change their sign, and
// Quaternion.Euler turns in the same order.
using UnityEngine;

namespace Visavis
{
    public static class Axes
    {
        /// <summary>A head's angles (radians, ARKit's axes) as a rotation in the axes of a character that faces +Z.</summary>
        public static Quaternion HeadRotation(float yaw, float pitch, float roll)
        {
            return Quaternion.Euler(pitch * Mathf.Rad2Deg, -yaw * Mathf.Rad2Deg, -roll * Mathf.Rad2Deg);
        }

        /// <summary>The inverse: (yaw, pitch, roll) in radians about ARKit's axes, each within half a turn.</summary>
        public static Vector3 HeadAngles(Quaternion rotation)
        {
            Vector3 degrees = rotation.eulerAngles;
            return new Vector3(-Signed(degrees.y), Signed(degrees.x), -Signed(degrees.z));
        }

        static float Signed(float degrees)
        {
            return (degrees > 180f ? degrees - 360f : degrees) * Mathf.Deg2Rad;
        }
    }
}
