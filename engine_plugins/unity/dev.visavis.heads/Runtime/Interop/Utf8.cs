// Texts to and from the native libraries: UTF-8 with a zero behind it.
using System.Text;

namespace Visavis
{
    internal static unsafe class Utf8
    {
        /// <summary>The bytes of a text and a zero.  Allocates: for set-up, not for frames.</summary>
        internal static byte[] Encode(string text)
        {
            var bytes = new byte[Encoding.UTF8.GetByteCount(text ?? "") + 1];
            Encoding.UTF8.GetBytes(text ?? "", 0, (text ?? "").Length, bytes, 0);
            return bytes;
        }

        internal static string Decode(byte* text)
        {
            if (text == null) return "";
            int count = 0;
            while (text[count] != 0) ++count;
            return Encoding.UTF8.GetString(text, count);
        }

        internal static string Decode(byte[] text)
        {
            fixed (byte* first = text) return Decode(first);
        }
    }
}
