// Shows a face: blend shapes by name, head and neck bones.
using UnityEngine;

namespace Visavis
{
    /// <summary>Writes the pose of a source to meshes and bones, after the frame's animation.</summary>
    [AddComponentMenu("Visavis/Visavis Head")]
    [DisallowMultipleComponent]
    public sealed class VisavisHead : MonoBehaviour
    {
        const float EaseSeconds = 0.5f; // to neutral, when the source is gone

        [Tooltip("What moves this face; none: the VisavisCharacter or VisavisStream on this object or above it.")]
        [SerializeField] VisavisSource _source;
        [Tooltip("Meshes with ARKit blend shapes; empty: all on this object and below it.")]
        [SerializeField] SkinnedMeshRenderer[] _renderers = new SkinnedMeshRenderer[0];
        [Tooltip("The head's bone; none: a humanoid's head, or the first transform below whose name ends with \"head\".")]
        [SerializeField] Transform _headBone;
        [Tooltip("The neck's bone; it takes a share of the head's turn.")]
        [SerializeField] Transform _neckBone;
        [Range(0f, 1f)] [SerializeField] float _neckShare = 0.3f;
        [Tooltip("A transform whose +Z is where the face looks at rest; none: this one.")]
        [SerializeField] Transform _faceAxes;
        [Tooltip("How much of the face is shown, 0 to 1.")]
        [Range(0f, 1f)] [SerializeField] float _weight = 1f;
        [Tooltip("How much of the head's turn is shown, 0 to 1.")]
        [Range(0f, 1f)] [SerializeField] float _headWeight = 1f;

        readonly VisavisPose _pose = new VisavisPose();
        readonly BlendShapes _shapes = new BlendShapes();
        VisavisSource _found;
        Transform _foundHead;
        TurnedBone _head, _neck;
        float _easeLeft;

        /// <summary>What moves this face, given or found.</summary>
        public VisavisSource Source { get { return _source != null ? _source : _found; } set { _source = value; } }
        public float Weight { get { return _weight; } set { _weight = Mathf.Clamp01(value); } }
        public float HeadWeight { get { return _headWeight; } set { _headWeight = Mathf.Clamp01(value); } }

        /// <summary>What is shown now.</summary>
        public VisavisPose Pose { get { return _pose; } }

        /// <summary>Of the 52 shapes, those that the meshes have.</summary>
        public int ShapesFound { get { return _shapes.ShapesFound; } }

        /// <summary>Blend shapes that are driven, of all meshes.</summary>
        public int BlendShapesDriven { get { return _shapes.Count; } }

        /// <summary>The bone that turns, given or found.</summary>
        public Transform HeadBone { get { return _headBone != null ? _headBone : _foundHead; } }

        /// <summary>Sets what is written and turned; the head must be at rest.</summary>
        public void SetRig(SkinnedMeshRenderer[] renderers, Transform headBone, Transform neckBone, Transform faceAxes)
        {
            _renderers = renderers ?? new SkinnedMeshRenderer[0];
            _headBone = headBone;
            _neckBone = neckBone;
            _faceAxes = faceAxes;
            if (isActiveAndEnabled) Bind();
        }

        /// <summary>Finds source, shapes and bones; moves nothing.</summary>
        internal void Look()
        {
            bool all = _renderers == null || _renderers.Length == 0;
            _found = GetComponentInParent<VisavisSource>();
            _foundHead = Bones.FindHead(transform);
            _shapes.Bind(all ? GetComponentsInChildren<SkinnedMeshRenderer>(true) : _renderers);
        }

        void Bind()
        {
            Look();
            ReleaseBones();
            Transform face = _faceAxes == null ? transform : _faceAxes;
            _head = HeadBone == null ? null : new TurnedBone(HeadBone, face);
            _neck = _neckBone == null ? null : new TurnedBone(_neckBone, face);
        }

        void OnEnable()
        {
            Bind();
            string problem = Diagnosis.OfRig(this);
            if (problem != null) Report.Problem(problem, this);
        }

        void OnDisable()
        {
            _pose.Scale(0f);
            _shapes.Write(_pose, 0f);
            ReleaseBones();
        }

        void ReleaseBones()
        {
            if (_head != null) _head.Release();
            if (_neck != null) _neck.Release();
            _head = _neck = null;
        }

        void LateUpdate()
        {
            VisavisSource source = Source;
            bool sampled = source != null && source.isActiveAndEnabled && source.Sample(_pose);
            if (sampled) _easeLeft = EaseSeconds;
            else EaseToNeutral(Time.deltaTime);
            _shapes.Write(_pose, _weight);
            TurnBones();
        }

        void EaseToNeutral(float seconds)
        {
            float left = Mathf.Max(0f, _easeLeft - seconds);
            if (_easeLeft > 0f || (_pose.State & VisavisState.Neutral) == 0) _pose.Scale(_easeLeft > 0f ? left / _easeLeft : 0f);
            _easeLeft = left;
        }

        void TurnBones()
        {
            float much = _headWeight;
            Quaternion whole = Axes.HeadRotation(_pose.Yaw * much, _pose.Pitch * much, _pose.Roll * much);
            if (_neck == null)
            {
                if (_head != null) _head.Turn(whole);
                return;
            }
            float share = much * _neckShare;
            Quaternion neck = Axes.HeadRotation(_pose.Yaw * share, _pose.Pitch * share, _pose.Roll * share);
            _neck.Turn(neck);
            if (_head != null) _head.Turn(Quaternion.Inverse(neck) * whole); // the sum is the whole turn
        }
    }
}
