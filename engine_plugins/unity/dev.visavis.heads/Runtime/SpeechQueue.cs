// Speech on its way: bursts of any length and rate go in, a connection takes as much as it has room for.
using System;

namespace Visavis
{
    internal sealed class SpeechQueue
    {
        internal const int MaxSeconds = 120;
        const int MaxSegments = 256;

        readonly int[] _rates = new int[MaxSegments], _counts = new int[MaxSegments]; // rings
        float[] _samples = new float[1 << 15];                                        // a ring, a power of two
        int _first, _total, _firstSegment, _segments;
        double _seconds;

        internal bool IsEmpty { get { return _total == 0; } }

        /// <summary>How much waits.</summary>
        internal double Seconds { get { return _seconds; } }

        /// <summary>False: it is full, nothing was taken.  Grows while a game speaks longer than ever before.</summary>
        internal bool Push(float[] samples, int count, int rate)
        {
            if (_seconds + (double)count / rate > MaxSeconds || _segments == MaxSegments) return false;
            Reserve(_total + count);
            int mask = _samples.Length - 1, end = (_first + _total) & mask;
            int until = Math.Min(count, _samples.Length - end);
            Array.Copy(samples, 0, _samples, end, until);
            Array.Copy(samples, until, _samples, 0, count - until);
            _total += count;
            _seconds += (double)count / rate;
            int last = (_firstSegment + _segments - 1) & (MaxSegments - 1);
            if (_segments > 0 && _rates[last] == rate)
            {
                _counts[last] += count;
                return true;
            }
            last = (last + 1) & (MaxSegments - 1);
            _rates[last] = rate;
            _counts[last] = count;
            ++_segments;
            return true;
        }

        /// <summary>The next piece, at most `max` samples without a seam: where it is.  False: nothing waits.</summary>
        internal bool Peek(int max, out float[] samples, out int offset, out int count, out int rate)
        {
            samples = _samples;
            offset = _first;
            count = _total == 0 ? 0 : Math.Min(max, Math.Min(_counts[_firstSegment], _samples.Length - _first));
            rate = _rates[_firstSegment];
            return count > 0;
        }

        /// <summary>So much of what Peek gave is gone.</summary>
        internal void Pop(int count)
        {
            _seconds = Math.Max(0.0, _seconds - (double)count / _rates[_firstSegment]);
            _first = (_first + count) & (_samples.Length - 1);
            _total -= count;
            _counts[_firstSegment] -= count;
            if (_counts[_firstSegment] > 0) return;
            _firstSegment = (_firstSegment + 1) & (MaxSegments - 1);
            --_segments;
        }

        internal void Clear()
        {
            _total = _segments = 0;
            _seconds = 0;
        }

        void Reserve(int count)
        {
            if (count <= _samples.Length) return;
            int length = _samples.Length;
            while (length < count) length *= 2;
            var larger = new float[length];
            int until = Math.Min(_total, _samples.Length - _first);
            Array.Copy(_samples, _first, larger, 0, until);
            Array.Copy(_samples, 0, larger, until, _total - until);
            _samples = larger;
            _first = 0;
        }
    }
}
