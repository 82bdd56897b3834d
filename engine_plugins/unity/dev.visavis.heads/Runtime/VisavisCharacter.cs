// A character whose face is computed in the game: no server, no network.  The component to begin with.
using System.IO;
using UnityEngine;

namespace Visavis
{
    /// <summary>Characters with the same model share it, and one thread of low priority that computes them all.</summary>
    [AddComponentMenu("Visavis/Visavis Character")]
    [DisallowMultipleComponent]
    public sealed class VisavisCharacter : VisavisSource
    {
        [Tooltip("The model's bytes, such as the package's Model/default.")]
        [SerializeField] TextAsset _model;
        [Tooltip("Or a model file, below StreamingAssets where the path is not whole.  Used where Model is none.")]
        [SerializeField] string _modelFile = "";
        [Tooltip("An actor speaks, so that the voice is not known ahead: voice and face come a little later.")]
        [SerializeField] bool _live;
        [Tooltip("The same seed and voices give the same face; 0: another one for each character.")]
        [SerializeField] uint _seed;
        [Tooltip("Share of a processor core that all characters may need together.")]
        [Range(0.05f, 4f)] [SerializeField] float _maxLoad = 0.8f;
        [Tooltip("From Unity's mixer to the ear (seconds): the face waits as long.  Below 0: as long as Unity's buffers.")]
        [SerializeField] float _outputDelay = -1f;

        public float MaxLoad { get { return _maxLoad; } set { _maxLoad = value; Restart(); } }
        public TextAsset Model { get { return _model; } set { _model = value; Restart(); } }
        public string ModelFile { get { return _modelFile; } set { _modelFile = value; Restart(); } }
        public bool Live { get { return _live; } set { _live = value; Restart(); } }
        public uint Seed { get { return _seed; } set { _seed = value; Restart(); } }

#if UNITY_EDITOR
        void Reset()
        {
            _model = UnityEditor.AssetDatabase.LoadAssetAtPath<TextAsset>("Packages/dev.visavis.heads/Model/default.bytes");
        }
#endif

        internal override HeadHost Acquire(out string problem)
        {
            if (_model == null && string.IsNullOrEmpty(_modelFile))
            {
                problem = "The character \"" + name + "\" has no model: set its Model to Packages/dev.visavis.heads/Model/default " +
                          "(Reset in the component's menu does), or its Model File.";
                return null;
            }
            return InGameStage.Acquire(new StageSettings
            {
                Model = _model, ModelFile = _model != null ? "" : Path.Combine(Application.streamingAssetsPath, _modelFile),
                MaxLoad = _maxLoad, OutputSeconds = Sound.OutputSeconds(_outputDelay),
            }, out problem);
        }

        internal override int Open(HeadHost host, out string problem)
        {
            return ((InGameStage)host).Open(_seed, _live, out problem);
        }
    }
}
