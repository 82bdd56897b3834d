// The player's microphone as the user's voice.
using UnityEngine;

namespace Visavis
{
    /// <summary>Sends a microphone to one or more characters.</summary>
    [AddComponentMenu("Visavis/Visavis Microphone")]
    public sealed class VisavisMicrophone : MonoBehaviour
    {
        const int ChunksASecond = 50; // 20 ms each
        const int BufferSeconds = 1;

        [Tooltip("Who hears it; empty: the sources on this object and below it.")]
        [SerializeField] VisavisSource[] _listeners;
        [Tooltip("Name of the device; empty: the system's own choice.")]
        [SerializeField] string _device = "";
        [Tooltip("Samples a second; the device may know better.")]
        [SerializeField] int _rate = 48000;

        AudioClip _clip;
        float[] _chunk;
        int _read;

        public VisavisSource[] Listeners { get { return _listeners; } set { _listeners = value; } }
        public string Device { get { return _device; } set { _device = value; } }

        string DeviceOrNull { get { return string.IsNullOrEmpty(_device) ? null : _device; } }

        void OnEnable()
        {
            if (_listeners == null || _listeners.Length == 0) _listeners = GetComponentsInChildren<VisavisSource>();
            _clip = Microphone.devices.Length == 0 ? null : Microphone.Start(DeviceOrNull, true, BufferSeconds, _rate);
            if (_clip == null)
            {
                Report.Problem("The microphone \"" + _device + "\" does not start, the characters will not hear the player. " +
                               "Connect one and allow its use (on phones: Application.RequestUserAuthorization).", this);
                return;
            }
            _chunk = new float[Mathf.Max(1, _clip.frequency / ChunksASecond)];
            _read = 0;
        }

        void OnDisable()
        {
            if (_clip != null) Microphone.End(DeviceOrNull);
            _clip = null;
        }

        void Update()
        {
            if (_clip == null) return;
            int waiting = Microphone.GetPosition(DeviceOrNull) - _read;
            if (waiting < 0) waiting += _clip.samples;
            for (; waiting >= _chunk.Length; waiting -= _chunk.Length)
            {
                if (!_clip.GetData(_chunk, _read)) return; // wraps by itself
                double age = (double)waiting / _clip.frequency;
                foreach (VisavisSource listener in _listeners)
                {
                    if (listener != null) listener.PushUserAudio(_chunk, _chunk.Length, _clip.frequency, age);
                }
                _read = (_read + _chunk.Length) % _clip.samples;
            }
        }
    }
}
