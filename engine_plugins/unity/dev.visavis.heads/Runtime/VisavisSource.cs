// What moves a face, wherever it is computed: in the game (VisavisCharacter) or on a server (VisavisStream).
using System;
using System.Collections.Generic;
using UnityEngine;

namespace Visavis
{
    /// <summary>A dial and its value, as docs/rig.md lists them, such as "emotion.joy".</summary>
    [Serializable]
    public struct VisavisDial
    {
        public string name;
        public float value;
    }

    /// <summary>One character's conversation.  Calls are for the main thread.  None of them waits.</summary>
    public abstract class VisavisSource : MonoBehaviour
    {
        const int ChunkSamples = 4096; // of speech, sent at a time
        const int FaceValues = VisavisShapes.Count + 3;
        const float AgainSeconds = 1f; // where there was no room

        [Tooltip("Set when the conversation begins, and again when it begins anew: emotion.joy, headYaw.gain and others.")]
        [SerializeField] List<VisavisDial> _dials = new List<VisavisDial>();

        readonly SpeechQueue _speech = new SpeechQueue();
        readonly StillnessWatch _watch = new StillnessWatch();
        HeadHost _host; // both read by the audio thread
        int _handle = -1;
        string _problem;
        uint _epoch;
        float _waited;

        /// <summary>The dials that a conversation begins with.</summary>
        public List<VisavisDial> Dials { get { return _dials; } }

        /// <summary>The face to show now; false: there is nobody who makes one, ease to neutral.</summary>
        public virtual bool Sample(VisavisPose pose)
        {
            return _handle >= 0 && _host.Sample(_handle, pose);
        }

        /// <summary>The character's own voice, a chunk behind what was pushed before (synthetic speech).  Copied.  False: no
        /// room or no conversation, nothing was taken.</summary>
        public bool PushAgentAudio(float[] samples, int count, int rate)
        {
            Sound.Check(samples, count, rate);
            return _host != null && _speech.Push(samples, count, rate);
        }

        /// <summary>The player's voice; its first sample was heard `ageSeconds` ago.</summary>
        public bool PushUserAudio(float[] samples, int count, int rate, double ageSeconds)
        {
            Sound.Check(samples, count, rate);
            return _handle >= 0 && _host.SendUserAudio(_handle, samples, count, rate, ageSeconds);
        }

        /// <summary>The player's tracked face: 52 weights, then yaw, pitch, roll (radians, ARKit's axes).</summary>
        public bool PushUserFace(float[] values)
        {
            if (values == null || values.Length != FaceValues)
            {
                throw new ArgumentException("PushUserFace: found " + (values == null ? 0 : values.Length) + " values, expected " +
                                            FaceValues + ": 52 weights, yaw, pitch and roll");
            }
            return _handle >= 0 && _host.SendUserFace(_handle, values);
        }

        /// <summary>Barge-in: the character stops speaking, its face eases to listening.</summary>
        public void Cancel()
        {
            _speech.Clear();
            if (_handle >= 0) _host.Cancel(_handle);
        }

        /// <summary>From now on; unknown names and values out of range are said in the log.</summary>
        public void SetDial(string dial, float value)
        {
            if (_handle >= 0) _host.SetDial(_handle, Utf8.Encode(dial), value);
        }

        /// <summary>A whole clip as the character's voice (its channels mixed).  Allocates: for an utterance, not for frames.</summary>
        public bool Say(AudioClip clip)
        {
            float[] mono = Sound.Mono(clip, this);
            return mono != null && PushAgentAudio(mono, mono.Length, clip.frequency);
        }

        /// <summary>One or two sentences: why nothing moves, and the remedy; or that all is well.</summary>
        public virtual string Status
        {
            get
            {
                if (_handle < 0) return _problem ?? (_host == null ? "The source is not enabled." : "It is being loaded.");
                var text = new byte[StillnessWatch.TextBytes];
                _host.ReadStatus(_handle, text);
                return Utf8.Decode(text);
            }
        }

        /// <summary>A few figures for the inspector.</summary>
        public virtual string Figures { get { return _handle < 0 ? "" : _host.Figures(_handle); } }

        /// <summary>On the audio thread: the next samples of the character's voice.  False: leave silence.</summary>
        internal virtual bool ReadVoice(float[] samples, int count, int rate)
        {
            HeadHost host = _host;
            int handle = _handle;
            return host != null && handle >= 0 && host.ReadVoice(handle, samples, count, rate);
        }

        // ---- What kinds of sources do in their own ways ----

        /// <summary>Where this head is to live, held; null and the reason.</summary>
        internal abstract HeadHost Acquire(out string problem);

        /// <summary>The head there, 0 or more, or the reason.</summary>
        internal abstract int Open(HeadHost host, out string problem);

        /// <summary>Each frame, before anything else is done.</summary>
        internal virtual void Tend(HeadHost host, ref HeadVitals vitals) { }

        // ---- Life ----

        protected virtual void OnEnable()
        {
            _epoch = 0;
            _host = Acquire(out _problem);
            if (_host != null) TryOpen();
            else if (_problem != null) Report.Problem(_problem, this);
        }

        protected virtual void OnDisable()
        {
            HeadHost host = _host;
            int handle = _handle;
            _handle = -1;
            _host = null;
            _problem = null;
            _speech.Clear();
            if (host == null) return;
            if (handle >= 0) host.Close(handle);
            host.Release();
        }

        /// <summary>With other settings.</summary>
        protected void Restart()
        {
            if (!isActiveAndEnabled) return;
            OnDisable();
            OnEnable();
        }

        void TryOpen()
        {
            _waited = 0f;
            if (_host.IsReady(out _problem)) _handle = Open(_host, out _problem);
            if (_problem == null) return;
            Report.Problem(_problem, this);
            if (_host.MayHaveRoom) return;
            _host.Release();
            _host = null;
        }

        protected virtual void Update()
        {
            if (_host == null) return;
            _waited += Time.unscaledDeltaTime;
            if (_handle < 0 && (_problem == null || _waited > AgainSeconds)) TryOpen();
            HeadVitals vitals;
            if (_handle < 0 || !_host.GetVitals(_handle, out vitals)) return;
            _host.Pump(Time.frameCount);
            Tend(_host, ref vitals);
            if (vitals.Moves && vitals.Epoch != _epoch)
            {
                _epoch = vitals.Epoch;
                foreach (VisavisDial dial in _dials) SetDial(dial.name, dial.value);
            }
            if (vitals.Reachable) SendSpeech();
            // Without a connection the library's own log says why.
            if (!_watch.IsDue(vitals.Moves || !vitals.Reachable, Time.unscaledDeltaTime)) return;
            _host.ReadStatus(_handle, _watch.Text);
            _watch.Say(this);
        }

        void SendSpeech()
        {
            float[] samples;
            int offset, count, rate;
            while (_speech.Peek(ChunkSamples, out samples, out offset, out count, out rate))
            {
                if (!_host.SendAgentAudio(_handle, samples, offset, count, rate)) return; // full: the next frame
                _speech.Pop(count);
            }
        }
    }
}
