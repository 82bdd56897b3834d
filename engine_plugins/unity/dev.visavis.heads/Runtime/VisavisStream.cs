// A head of a running server (`visavis serve`), followed over the network: its face, its voice, and the way back.
using UnityEngine;

namespace Visavis
{
    /// <summary>Follows one head of a server.  Characters with the same server settings share one connection.</summary>
    [AddComponentMenu("Visavis/Visavis Stream")]
    [DisallowMultipleComponent]
    public sealed class VisavisStream : VisavisSource
    {
        [Tooltip("The server's motion port, as `visavis serve` prints it.")]
        [SerializeField] string _endpoint = "tcp://127.0.0.1:5570";
        [Tooltip("The head to follow: 1 to 16 bytes.")]
        [SerializeField] string _head = "npc";
        [Tooltip("Ask the server to open the head where it has none of that name.")]
        [SerializeField] bool _openHead;
        [Tooltip("The head is shown at most so late after its clock (seconds).")]
        [Range(0.02f, 2f)] [SerializeField] float _maxDelay = 0.2f;
        [Tooltip("From Unity's mixer to the ear (seconds): the face waits as long.  Below 0: as long as Unity's buffers.")]
        [SerializeField] float _outputDelay = -1f;
        [Tooltip("The server's public key (`visavis keys`); empty: not encrypted.")]
        [SerializeField] string _serverKey = "";

        string _publicKey, _secretKey;
        bool _asked;

        public string Endpoint { get { return _endpoint; } set { Set(ref _endpoint, value); } }
        public string Head { get { return _head; } set { Set(ref _head, value); } }
        public bool OpenHead { get { return _openHead; } set { _openHead = value; } }

        /// <summary>Keys of `visavis keys new`, in Z85.  The client's own pair is not kept in scenes; null: a fresh one.</summary>
        public void SetKeys(string serverKey, string publicKey, string secretKey)
        {
            _serverKey = serverKey;
            _publicKey = publicKey;
            _secretKey = secretKey;
            Restart();
        }

        void Set(ref string field, string value)
        {
            if (field == value) return;
            field = value;
            Restart();
        }

        internal override HeadHost Acquire(out string problem)
        {
            _asked = false;
            return StreamConnection.Acquire(new StreamSettings
            {
                Endpoint = _endpoint, ServerKey = _serverKey, PublicKey = _publicKey, SecretKey = _secretKey,
                MaxDelaySeconds = _maxDelay, OutputSeconds = Sound.OutputSeconds(_outputDelay),
            }, out problem);
        }

        internal override int Open(HeadHost host, out string problem)
        {
            return ((StreamConnection)host).Follow(_head, out problem);
        }

        // Asks for its head once for each connection.
        internal override void Tend(HeadHost host, ref HeadVitals vitals)
        {
            if (!vitals.CanAsk) _asked = false;
            if (!_openHead || vitals.Moves || _asked || !vitals.CanAsk) return;
            _asked = true;
            ((StreamConnection)host).OpenHead(_head);
        }
    }
}
