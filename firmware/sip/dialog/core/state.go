package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Times of RFC 3261 table 4 and the limits that the RFC leaves to the implementation.
const (
	T1   = 500 * time.Millisecond // estimate of the round trip
	T2   = 4 * time.Second        // ceiling of the 2xx retransmission interval
	Life = 64 * T1                // how long an unanswered message is worth waiting for

	DefaultRing  = 180 * time.Second // Timer C, section 16.6 step 11: more than three minutes at a proxy
	RefreshEvery = time.Minute       // section 13.3.1.1: a provisional each minute keeps proxies from cancelling
	RingLimit    = time.Hour         // an incoming call that nobody answers or rejects ends at last
	AnswerWithin = 10 * time.Second  // a re-offer that the application forgets must not outlive Timer F
	RestartJump  = 1000              // after a restart the CSeq of requests sent but not journalled is left behind

	maxForks  = 16 // early dialogs remembered for one INVITE; more are reported but not remembered
	maxLosers = 32 // forked answers hung up for one INVITE
	maxNonces = 3  // challenges answered for one INVITE
)

// Phase is how far a call has come.
type Phase uint8

// The phases. Every phase but Up and Gone has a timer that ends it.
const (
	Calling    Phase = iota + 1 // our INVITE is out, nothing came back
	Ringing                     // our INVITE got a provisional response
	Cancelling                  // we gave up our INVITE; its final response is still awaited
	Offered                     // their INVITE waits for our final response
	Accepted                    // our 2xx is out, its ACK is awaited
	Up                          // both sides know of the answer
	Ending                      // our BYE is out
	Lingering                   // over for the application; late messages still get their reply
	Gone                        // nothing is left to do
)

var phaseNames = [...]string{
	"", "calling", "ringing", "cancelling", "offered", "accepted", "up", "ending", "lingering", "gone",
}

// String returns the stable name that the journal keeps.
func (p Phase) String() string {
	if p >= Calling && p <= Gone {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase_%d", uint8(p))
}

// MarshalText writes the stable name.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the stable name; an unknown name is an error.
func (p *Phase) UnmarshalText(b []byte) error {
	if i := slices.Index(phaseNames[:], string(b)); i > 0 {
		*p = Phase(i)
		return nil
	}
	return fmt.Errorf("unknown dialog phase %q", b)
}

// Timer names a deadline of a call.
type Timer string

// The timers. Each is armed at most once at a time.
const (
	TimerC       Timer = "c"       // our INVITE rings too long
	TimerRefresh Timer = "refresh" // time to repeat our last provisional response
	TimerLimit   Timer = "limit"   // their INVITE was neither answered nor rejected
	TimerResend  Timer = "resend"  // time to repeat our 2xx
	TimerAck     Timer = "ack"     // no ACK for our 2xx
	TimerCancel  Timer = "cancel"  // no final response after we gave up
	TimerBye     Timer = "bye"     // no response to our BYE
	TimerAnswer  Timer = "answer"  // the application did not answer a re-offer
	TimerReoffer Timer = "reoffer" // no final response to our re-INVITE
	TimerGlare   Timer = "glare"   // time to try again after a 491
	TimerLinger  Timer = "linger"  // late messages are no longer expected
	TimerPrack   Timer = "prack"   // no PRACK for our reliable provisional
	TimerSession Timer = "session" // time to refresh the session
	TimerExpire  Timer = "expire"  // nobody has refreshed the session
	TimerRefer   Timer = "refer"   // the subscriptions of their REFERs end
	TimerReferTo Timer = "referto" // the application did not answer a REFER

	TimerHandover Timer = "handover" // no end of our own REFER was told
)

// Flow is the transport path of a call: protocol ("udp", "tcp") and both addresses.
type Flow struct {
	Transport string         `json:"transport"`
	Local     netip.AddrPort `json:"local"`
	Remote    netip.AddrPort `json:"remote"`
}

// Peer is the remote half of one dialog of RFC 3261 section 12: an INVITE can fork into several.
type Peer struct {
	Tag    string   `json:"tag"`
	CSeq   uint32   `json:"cseq,omitempty"`   // highest CSeq that the peer has used, 0 = none yet
	Target string   `json:"target,omitempty"` // remote target URI
	Routes []string `json:"routes,omitempty"` // route set in the order in which it is sent

	Update   bool `json:"update,omitempty"`   // its Allow lists UPDATE
	Timer    bool `json:"timer,omitempty"`    // it supports session timers (RFC 4028)
	Reliable bool `json:"reliable,omitempty"` // it supports reliable provisionals (RFC 3262)
}

// Fork is an early dialog of an INVITE of ours.
type Fork struct {
	Peer
	SDP    []byte `json:"sdp,omitempty"`    // last body of its provisional responses
	RSeq   uint32 `json:"rseq,omitempty"`   // of the last reliable one, 0 = none yet
	Agreed bool   `json:"agreed,omitempty"` // a reliable one has answered our offer
}

// Parting is a BYE of ours to a forked answer that lost, as long as it has no final response.
type Parting struct {
	Peer Peer   `json:"peer"`
	CSeq uint32 `json:"cseq"`
}

// Turn says who waits for whom in an offer/answer exchange inside an established dialog.
type Turn string

// The turns; the empty Turn means that no exchange is under way.
const (
	TurnOurs    Turn = "ours"    // our re-INVITE is out
	TurnBackoff Turn = "backoff" // our re-INVITE met theirs (491) and waits to be sent again
	TurnTheirs  Turn = "theirs"  // their re-INVITE or UPDATE waits for the application
	TurnAck     Turn = "ack"     // our 2xx to their re-INVITE waits for the ACK
)

// Purpose is why we send a re-INVITE or UPDATE.
type Purpose string

// The purposes; the empty Purpose is an offer of the application.
const (
	ForRefresh Purpose = "refresh" // the session timer is due
	ForUpdate  Purpose = "update"  // the application has headers to send and no offer
)

// Exchange is an offer/answer exchange after the first one (RFC 3261 section 14, RFC 3311).
type Exchange struct {
	Turn      Turn     `json:"turn,omitempty"`
	Method    string   `json:"method,omitempty"` // INVITE, UPDATE or PRACK
	CSeq      uint32   `json:"cseq,omitempty"`
	Tag       string   `json:"tag,omitempty"`    // the fork of our INVITE in which it runs, empty once there is one dialog
	SDP       []byte   `json:"sdp,omitempty"`    // the offer, empty when their INVITE had none
	Target    string   `json:"target,omitempty"` // remote target that a 2xx makes valid
	Text      string   `json:"text,omitempty"`   // their request as received, to answer it after a restart
	Headers   []string `json:"headers,omitempty"`
	Cancelled bool     `json:"cancelled,omitempty"`
	Purpose   Purpose  `json:"purpose,omitempty"`
	Then      []byte   `json:"then,omitempty"` // the application's offer that waits for our refresh to end
	Terms     Terms    `json:"terms,omitzero"` // what theirs asks of the session timer
	Timer     bool     `json:"timer,omitempty"`
}

// Invite is the transaction that opened the call.
type Invite struct {
	CSeq   uint32 `json:"cseq"`
	Text   string `json:"text,omitempty"`   // the request as received, or as it leaves, with its Via: empty before, and dropped when answered, but kept for as long as a refusal of ours may have to be said again
	Terms  Terms  `json:"terms,omitzero"`   // what theirs asks of the session timer
	Always bool   `json:"always,omitempty"` // theirs requires 100rel: every provisional is reliable
}

// Deadline is when a timer fires, in wall time. It is used only to arm timers again after a
// restart, and then bounded by the timer's full length, so that a changed clock cannot stretch it.
type Deadline struct {
	Timer Timer     `json:"timer"`
	At    time.Time `json:"at"`
}

// State is everything that is known of one call over SIP. It is a plain value: Next never changes
// the one it was given, and what is reachable from it must not be changed by others.
type State struct {
	ID       string `json:"id"`              // our tag; key of the call in the hot journal
	Label    string `json:"label,omitempty"` // of the application; empty: the ID
	Incoming bool   `json:"incoming,omitempty"`
	Phase    Phase  `json:"phase"`

	CallID string `json:"call_id"`
	Local  string `json:"local"`  // our From or To without the tag, e.g. "Sales" <sip:200@box>
	Remote string `json:"remote"` // the peer's, likewise
	Flow   Flow   `json:"flow"`

	CSeq   uint32   `json:"cseq"` // last CSeq that we used
	Invite Invite   `json:"invite"`
	Peer   Peer     `json:"peer"`
	Forks  []Fork   `json:"forks,omitempty"`
	Losers []string `json:"losers,omitempty"` // tags of forked answers that were hung up
	Nonces []string `json:"nonces,omitempty"` // challenges already answered

	Partings []Parting `json:"partings,omitempty"` // of the losers, those that may not know it yet

	Offerless  bool   `json:"offerless,omitempty"` // their INVITE had no body: we offer, the ACK answers
	LocalSDP   []byte `json:"local_sdp,omitempty"`
	RemoteSDP  []byte `json:"remote_sdp,omitempty"`
	SDPVersion uint64 `json:"sdp_version,omitempty"` // version of the o= line of LocalSDP

	Provisional int           `json:"provisional,omitempty"` // last provisional status that we sent
	Resend      time.Duration `json:"resend,omitempty"`      // interval to the next repetition of our 2xx
	Ring        time.Duration `json:"ring,omitempty"`        // length of Timer C, or of an incoming call's limit
	CancelSent  bool          `json:"cancel_sent,omitempty"`
	HangupAtAck bool          `json:"hangup_at_ack,omitempty"` // section 15: a callee's BYE waits for the ACK
	ByeCSeq     uint32        `json:"bye_cseq,omitempty"`
	Cause       tel.Cause     `json:"cause,omitempty"` // why it ended; CauseNone while the application has it
	Reliable    Reliable      `json:"reliable,omitzero"`
	Agreed      bool          `json:"agreed,omitempty"` // their INVITE: the first offer has its answer
	Exchange    Exchange      `json:"exchange,omitzero"`
	Astray      bool          `json:"astray,omitempty"`  // an offer of ours was under way when a process ended: nobody knows whether they took it
	Wish        Terms         `json:"wish,omitzero"`     // the session timer that we ask for, and the least that we take
	Raises      int           `json:"raises,omitempty"`  // how often a 422 has made us ask for more
	Expiry      Expiry        `json:"expiry,omitzero"`   // the one in force
	Who         []string      `json:"who,omitempty"`     // what Identified has told last
	Headers     []string      `json:"headers,omitempty"` // of our 2xx, to repeat it after a restart
	Refusal     Reply         `json:"refusal,omitzero"`  // our final failure to their INVITE, likewise
	Referrals   []Referral    `json:"referrals,omitempty"`
	Referred    bool          `json:"referred,omitempty"` // a REFER has come in this dialog
	Handover    Handover      `json:"handover,omitzero"`
	Deadlines   []Deadline    `json:"deadlines,omitempty"`
}

// version is the encoding that this program writes.
const version = 1

// snapshot is the journal's form: the version first, then the state.
type snapshot struct {
	V int `json:"v"`
	State
}

// Encode returns the versioned JSON that the hot journal keeps.
func (s State) Encode() ([]byte, error) { return json.Marshal(snapshot{V: version, State: s}) }

// Decode reads what Encode wrote. A version that this program does not know is an error.
func Decode(b []byte) (State, error) {
	var head struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return State{}, fmt.Errorf("read dialog state: %w", err)
	}
	if head.V != version {
		return State{}, fmt.Errorf("read dialog state: version %d, this program knows %d", head.V, version)
	}
	var s snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return State{}, fmt.Errorf("read dialog state: %w", err)
	}
	if s.ID == "" || s.CallID == "" || s.Phase < Calling || s.Phase > Gone {
		return State{}, fmt.Errorf("read dialog state: id %q, call id %q, phase %s: incomplete", s.ID, s.CallID, s.Phase)
	}
	return s.State, nil
}

// Live reports whether the application still has the call.
func (s State) Live() bool { return s.Cause == tel.CauseNone && s.Phase < Ending }

// Knows reports whether tag is the peer's in one of the dialogs of this call. A peer of RFC 2543 that
// called has none.
func (s State) Knows(tag string) bool {
	if tag == "" && !s.Incoming {
		return false // nobody has answered yet
	}
	return s.Peer.Tag == tag || slices.ContainsFunc(s.Forks, func(f Fork) bool { return f.Tag == tag })
}

// Until returns how long timer t still runs at now, at most full; ok is false when it is not armed.
func (s State) Until(t Timer, now time.Time, full time.Duration) (d time.Duration, ok bool) {
	i := slices.IndexFunc(s.Deadlines, func(d Deadline) bool { return d.Timer == t })
	if i < 0 {
		return 0, false
	}
	return min(max(s.Deadlines[i].At.Sub(now), 0), full), true
}

// sdpVersion reads the sess-version of the o= line (RFC 4566 section 5.2), 0 when there is none.
func sdpVersion(sdp []byte) uint64 {
	for line := range bytes.Lines(sdp) {
		if origin, ok := bytes.CutPrefix(line, []byte("o=")); ok {
			if f := bytes.Fields(origin); len(f) >= 3 {
				v, err := strconv.ParseUint(string(f[2]), 10, 64)
				if err == nil {
					return v
				}
			}
			return 0
		}
	}
	return 0
}
