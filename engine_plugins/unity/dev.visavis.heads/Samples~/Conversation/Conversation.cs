// A scene in one script: put it on an empty object, give it a head with ARKit blend shapes and some lines to say.
//
// Space says the next line, the player interrupts with Backspace, J makes the character glad, the microphone is on.  Projects with
// the new input system alone have no such keys: call the public methods from theirs, or from buttons.
using UnityEngine;

namespace Visavis.Samples
{
    /// <summary>Makes a character of a head: source, face, voice and the player's microphone.</summary>
    public sealed class Conversation : MonoBehaviour
    {
        [Tooltip("A prefab or model with ARKit blend shapes, such as visavis_head.glb.")]
        [SerializeField] GameObject _headModel;
        [Tooltip("What the character says, one clip after the other.")]
        [SerializeField] AudioClip[] _lines = new AudioClip[0];
        [Tooltip("The package's Model/default: the face is computed in the game.  None: it comes from a server.")]
        [SerializeField] TextAsset _model;
        [SerializeField] string _endpoint = "tcp://127.0.0.1:5570";
        [SerializeField] string _head = "npc";

        VisavisSource _source;
        int _nextLine;
        bool _glad;

        void Start()
        {
            GameObject character = Instantiate(_headModel);
            character.SetActive(false); // set up first, then begin
            _source = _model != null ? ComputeInGame(character) : FollowServer(character);
            character.AddComponent<VisavisHead>().Source = _source;
            character.AddComponent<AudioSource>();
            character.AddComponent<VisavisVoice>().Source = _source;
            character.SetActive(true);
            gameObject.AddComponent<VisavisMicrophone>().Listeners = new[] { _source };
        }

        VisavisSource ComputeInGame(GameObject character)
        {
            var source = character.AddComponent<VisavisCharacter>();
            source.Model = _model;
            return source;
        }

        VisavisSource FollowServer(GameObject character)
        {
            var stream = character.AddComponent<VisavisStream>();
            stream.Endpoint = _endpoint;
            stream.Head = _head;
            stream.OpenHead = true;
            return stream;
        }

        public void SayNextLine()
        {
            if (_lines.Length > 0) _source.Say(_lines[_nextLine++ % _lines.Length]);
        }

        public void Interrupt() { _source.Cancel(); }

        public void ChangeMood()
        {
            _glad = !_glad;
            _source.SetDial("emotion.joy", _glad ? 0.7f : 0f);
        }

#if ENABLE_LEGACY_INPUT_MANAGER
        void Update()
        {
            if (Input.GetKeyDown(KeyCode.Space)) SayNextLine();
            if (Input.GetKeyDown(KeyCode.Backspace)) Interrupt();
            if (Input.GetKeyDown(KeyCode.J)) ChangeMood();
        }
#endif
    }
}
