// The character's voice through an AudioSource.  Reading it makes the audio clock the master: the face shows what is heard.
using UnityEngine;

namespace Visavis
{
    /// <summary>
    /// Plays the voice of a source.  The AudioSource plays a clip of ones, which Unity spatialises and mixes like any
    /// other; the filter multiplies it by the voice.  Place it at the mouth.
    /// </summary>
    [AddComponentMenu("Visavis/Visavis Voice")]
    [RequireComponent(typeof(AudioSource))]
    [DisallowMultipleComponent]
    public sealed class VisavisVoice : MonoBehaviour
    {
        const int BlockSamples = 1024;

        [Tooltip("Whose voice; none: the one on this object or above it.")]
        [SerializeField] VisavisSource _source;

        readonly float[] _mono = new float[BlockSamples];
        AudioSource _audio;
        AudioClip _ones;
        VisavisSource _heard; // read by the audio thread, which may not ask Unity anything
        int _rate;

        public VisavisSource Source { get { return _source; } set { _source = value; } }

        void OnEnable()
        {
            if (_source == null) _source = GetComponentInParent<VisavisSource>();
            if (_source == null)
            {
                Report.Problem("VisavisVoice on \"" + name + "\" has no source: add a VisavisCharacter or VisavisStream to it or " +
                               "above it, or set its Source.", this);
            }
            _rate = AudioSettings.outputSampleRate;
            _audio = GetComponent<AudioSource>();
            if (_ones == null) _ones = Ones(_rate);
            _audio.clip = _ones;
            _audio.loop = true;
            _audio.Play();
        }

        void OnDisable()
        {
            _heard = null;
            if (_audio != null) _audio.Stop();
        }

        void OnDestroy()
        {
            if (_ones != null) Destroy(_ones);
        }

        void Update()
        {
            _rate = AudioSettings.outputSampleRate; // another device may have come
            if (!_audio.isPlaying && _audio.isActiveAndEnabled) _audio.Play(); // and have stopped all sources
            _heard = _source == null ? null : _source; // Unity's null into ours
        }

        static AudioClip Ones(int rate)
        {
            AudioClip clip = AudioClip.Create("Visavis voice", rate, 1, rate, false);
            var ones = new float[rate];
            for (int i = 0; i < rate; ++i) ones[i] = 1f;
            clip.SetData(ones, 0);
            return clip;
        }

        // The audio thread.  `data` holds the ones, panned and faded by Unity.
        void OnAudioFilterRead(float[] data, int channels)
        {
            VisavisSource heard = _heard;
            int frames = data.Length / channels;
            for (int start = 0; start < frames; start += BlockSamples)
            {
                int count = frames - start < BlockSamples ? frames - start : BlockSamples;
                bool sounds = !ReferenceEquals(heard, null) && heard.ReadVoice(_mono, count, _rate);
                for (int i = 0; i < count; ++i)
                {
                    float sample = sounds ? _mono[i] : 0f;
                    for (int c = 0; c < channels; ++c) data[(start + i) * channels + c] *= sample;
                }
            }
        }
    }
}
