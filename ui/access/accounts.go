package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is all that must survive a restart, as one plain value.
type State struct {
	Code     Code      `json:"code"` // with which the box is claimed, and taken again
	Users    []User    `json:"users,omitempty"`
	Sessions []Session `json:"sessions,omitempty"`
	Invites  []Invite  `json:"invites,omitempty"`
}

// Session is one browser in which somebody is signed in.
type Session struct {
	ID      string    `json:"id"` // SHA-256 of the token: a stolen file opens nothing
	User    string    `json:"user"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	From    string    `json:"from"`              // address
	Browser string    `json:"browser,omitempty"` // as it calls itself
	// Sealed tells that it was opened over HTTPS. It counts there alone, and one opened in the clear counts in the
	// clear alone: its token may have been read by anybody in the network.
	Sealed bool `json:"sealed,omitempty"`
}

// Limits of sessions.
const (
	idleFor      = 12 * time.Hour      // without a request
	lastsFor     = 14 * 24 * time.Hour // in all
	noteSeen     = 5 * time.Minute     // how exact Seen is on disk
	maxSessions  = 500                 // the one that was silent longest goes
	maxUsers     = 1000
	knownPlaces  = 8
	freeTries    = 3
	mostWait     = time.Minute     // for a wrong password or code
	strangerWait = 5 * time.Second // for somebody who comes from where others guess at the same name
	// ClaimFor is how long after power-on a box without an owner can be claimed.
	ClaimFor = time.Hour
)

// The refusals. Their texts are for logs; the page has its own.
var (
	ErrClaimed   = errors.New("the box has an owner already")
	ErrUnclaimed = errors.New("the box has no owner yet")
	ErrClosed    = errors.New("the time for claiming is over: switch the box off and on")
	ErrOutside   = errors.New("a box is claimed from its own network only")
	ErrCode      = errors.New("this is not the code of the box")
	ErrWrong     = errors.New("name or password is wrong")
	ErrBusy      = errors.New("too many people sign in at once")
	ErrName      = errors.New("a name has 1 to 40 letters, digits, dots or dashes")
	ErrTaken     = errors.New("there is somebody of this name")
	ErrNobody    = errors.New("there is nobody of this name")
	ErrLastOwner = errors.New("a box needs an owner")
	ErrRole      = errors.New("there is no such role")
	ErrFull      = errors.New("there are too many people")
)

// TooSoonError says how long to wait after wrong tries.
type TooSoonError struct{ Wait time.Duration }

// Error implements error.
func (e TooSoonError) Error() string {
	return fmt.Sprintf("too many wrong tries: try again in %v", e.Wait.Round(time.Second))
}

// Visitor is who asks, as the network shows.
type Visitor struct {
	Addr    netip.Addr
	LAN     bool   // of the box's own networks
	Sealed  bool   // over HTTPS
	Browser string // User-Agent
}

func (v Visitor) key() string {
	a := v.Addr.Unmap()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil { // who has one address of IPv6 has all of its network
			return p.String()
		}
	}
	return a.String()
}

// Note is one line of the audit log.
type Note struct {
	At   time.Time
	What Deed
	User string // who did it; empty: nobody known
	Whom string // to whom, where it is not the user
	From string // address
}

// Deed is what a Note tells.
type Deed string

// The deeds.
const (
	DeedClaimed              Deed = "claimed"
	DeedWrongCode            Deed = "wrong_code"
	DeedSignedIn             Deed = "signed_in"
	DeedWrong                Deed = "wrong_password"
	DeedSignedOut            Deed = "signed_out"
	DeedUserAdded            Deed = "user_added"
	DeedUserChanged          Deed = "user_changed"
	DeedUserRemoved          Deed = "user_removed"
	DeedPassword             Deed = "password_changed"
	DeedOneTimeOn            Deed = "one_time_codes_on"
	DeedOneTimeOff           Deed = "one_time_codes_off"
	DeedWrongOneTime         Deed = "wrong_one_time_code"
	DeedPasskeyAdded         Deed = "passkey_added"
	DeedPasskeyRemoved       Deed = "passkey_removed"
	DeedWrongPasskey         Deed = "wrong_passkey"
	DeedInvited              Deed = "invited"
	DeedUninvited            Deed = "uninvited"
	DeedWrongInvite          Deed = "wrong_invitation"
	DeedAccepted             Deed = "invitation_accepted"
	DeedMoved                Deed = "caller_moved"    // the call, and to which queue
	DeedAssigned             Deed = "caller_assigned" // the call, and to whom
	DeedPaused               Deed = "agent_paused"
	DeedCallbackDropped      Deed = "callback_dropped"
	DeedDismissed            Deed = "missed_dismissed" // the number of a caller whom nobody calls back
	DeedLoggedOut            Deed = "agent_logged_out"
	DeedConference           Deed = "conference_led" // the room, what was decided, and about whose call
	DeedPutIn                Deed = "agent_put_in_queue"
	DeedTakenOut             Deed = "agent_taken_out_of_queue"
	DeedSkill                Deed = "agent_skill_set"
	DeedConfigured           Deed = "configured"     // the version, and why
	DeedDiscarded            Deed = "file_discarded" // what somebody wrote into the configuration by hand
	DeedAnnounced            Deed = "announced"      // another sound, and of what
	DeedKitMade              Deed = "kit_made"       // a recovery kit
	DeedKitConfirmed         Deed = "kit_confirmed"
	DeedBackup               Deed = "backup_made"    // on demand
	DeedBackupTaken          Deed = "backup_taken"   // downloaded: its name
	DeedRestore              Deed = "restore_staged" // a backup lies ready for the next start
	DeedRestoreForgot        Deed = "restore_forgotten"
	DeedRestored             Deed = "restored"      // it took effect
	DeedNetwork              Deed = "network_tried" // the address, or none
	DeedNetworkKept          Deed = "network_kept"
	DeedNetworkRecalled      Deed = "network_recalled"
	DeedCertificate          Deed = "certificate_given" // its fingerprint
	DeedCertificateUndone    Deed = "certificate_undone"
	DeedCertificateWithdrawn Deed = "certificate_withdrawn"
	DeedUpdate               Deed = "update_decided" // what the owner decided about releases
	DeedHandover             Deed = "handover_made"
	DeedRecordingOrdered     Deed = "recording_ordered" // whose conversation, and what was decided
	DeedRecordingHeard       Deed = "recording_heard"
	DeedRecordingTaken       Deed = "recording_downloaded"
	DeedRecordingHeld        Deed = "recording_held"
	DeedRecordingReleased    Deed = "recording_released"
	DeedRecordingDeleted     Deed = "recording_deleted"
	DeedRecordingExpired     Deed = "recording_expired"   // the time of its purpose is over; nobody did it
	DeedRecordingOptOut      Deed = "recording_opted_out" // the caller did not want it
	DeedErased               Deed = "person_erased"       // the alias that takes the place of the number
	DeedRTPTraceOn           Deed = "rtp_trace_on"        // of what RTP is kept in traces, for how long, and why
	DeedRTPTraceOff          Deed = "rtp_trace_off"       // before its time
	DeedRTPTraceExpired      Deed = "rtp_trace_expired"   // its time is over, or what it rests on; nobody did it
	DeedRTPTraceTaken        Deed = "rtp_trace_downloaded"
	DeedRTPTraceDeleted      Deed = "rtp_trace_deleted" // what was kept, before its time
	DeedReopened             Deed = "reopened"          // the owner's password was lost: the box can be claimed again
)

// Config is what Accounts need.
type Config struct {
	Save func(State) error // keeps a state; what it refuses does not happen
	Note func(Note)        // the audit log; it must not block
}

// Accounts are the people who may use the page. Safe for use by many goroutines.
type Accounts struct {
	cfg    Config
	hasher hasher

	mu         sync.Mutex
	state      State
	powered    time.Time // since when the box may be claimed
	reopened   bool      // although it has an owner
	senders    *pace     // wrong tries, by address
	names      *pace     // wrong passwords, by name
	halves     map[string]*half
	ceremonies map[string]ceremony
	secrets    map[string]Secret // of one-time codes that are not confirmed yet, by name
}

// New begins with a kept state, or with a zero one: then the box gets a code. powered is when it was
// switched on.
func New(cfg Config, kept State, powered time.Time) (*Accounts, error) {
	a := &Accounts{
		cfg: cfg, hasher: newHasher(), state: kept, powered: powered,
		senders: newPace(freeTries, mostWait), names: newPace(freeTries, strangerWait), halves: map[string]*half{}, ceremonies: map[string]ceremony{}, secrets: map[string]Secret{},
	}
	if kept.Code == "" {
		return a, a.change(func(s *State) { s.Code = NewCode() })
	}
	return a, nil
}

// change runs f on a copy and takes it when it was saved. It is called with mu held, or by New.
func (a *Accounts) change(f func(*State)) error {
	next := State{Code: a.state.Code, Users: slices.Clone(a.state.Users), Sessions: slices.Clone(a.state.Sessions), Invites: slices.Clone(a.state.Invites)}
	f(&next)
	if err := a.cfg.Save(next); err != nil {
		return fmt.Errorf("keep who may use the page: %w", err)
	}
	a.state = next
	return nil
}

func (a *Accounts) note(what Deed, user, whom string, v Visitor) {
	from := ""
	if v.Addr.IsValid() {
		from = v.Addr.Unmap().String()
	}
	a.cfg.Note(Note{time.Now(), what, user, whom, from})
}

// Claimed tells whether the box has an owner.
func (a *Accounts) Claimed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.claimed()
}

func (a *Accounts) claimed() bool {
	return slices.ContainsFunc(a.state.Users, func(u User) bool { return u.Role == Owner })
}

// Code is the box's code, for its label and its console.
func (a *Accounts) Code() Code {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.Code
}

// Claimable tells a visitor why the box cannot be claimed now: ErrClaimed, ErrClosed, ErrOutside; nil is
// that it can.
func (a *Accounts) Claimable(v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.claimable(v)
}

func (a *Accounts) claimable(v Visitor) error {
	switch now := time.Now(); {
	case a.claimed() && !a.reopened:
		return ErrClaimed
	case !v.LAN:
		return ErrOutside
	case now.Sub(a.powered) >= ClaimFor:
		return ErrClosed
	}
	return nil
}

// Reopen lets the box be claimed once more although it has an owner, for an hour: whoever stands at its
// console has lost the password. The owner's account of the same name gets the new one.
func (a *Accounts) Reopen() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reopened, a.powered = true, time.Now()
	a.note(DeedReopened, "", "", Visitor{})
}

// Claim makes the visitor the owner and signs him in. Errors: those of Claimable, ErrCode, TooSoonError,
// ErrName, those of Check, ErrBusy.
func (a *Accounts) Claim(ctx context.Context, typed, name, password string, v Visitor) (token string, err error) {
	name = fold(name)
	if err := checkName(name); err != nil {
		return "", err
	}
	if err := a.codeIs(typed, v); err != nil {
		return "", err
	}
	if err := Check(password, name); err != nil {
		return "", err
	}
	var hashed string
	if err := a.hasher.run(ctx, func() { hashed = hash(password) }); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.claimable(v); err != nil { // somebody was faster
		return "", err
	}
	token, session := newSession(name, v, time.Now())
	err = a.change(func(s *State) {
		s.Users = slices.DeleteFunc(s.Users, func(u User) bool { return u.Name == name })
		s.Users = append(s.Users, User{Name: name, Role: Owner, Password: hashed, Known: []string{v.key()}})
		s.Sessions = slices.DeleteFunc(s.Sessions, func(x Session) bool { return x.User == name })
		s.Sessions = append(s.Sessions, session)
	})
	if err != nil {
		return "", err
	}
	a.reopened = false
	a.note(DeedClaimed, name, "", v)
	return token, nil
}

// Prove takes the code of the label from whoever is about to replace what the box knows. A box without an owner
// listens as it does to who claims it. Errors: those of Claimable but ErrClaimed, ErrCode, TooSoonError.
func (a *Accounts) Prove(typed string, v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.claimable(v); err != nil && !errors.Is(err, ErrClaimed) {
		return err
	}
	return a.compare(typed, v)
}

// Note writes a deed down that the page has done.
func (a *Accounts) Note(what Deed, user, whom string, v Visitor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.note(what, user, whom, v)
}

// codeIs compares the code that somebody typed who claims the box.
func (a *Accounts) codeIs(typed string, v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.claimable(v); err != nil {
		return err
	}
	return a.compare(typed, v)
}

// compare judges a typed code. A mistyping that its check character shows is no guess. It is called with mu held.
func (a *Accounts) compare(typed string, v Visitor) error {
	now := time.Now()
	if w := a.senders.wait(v.key(), now); w > 0 {
		return TooSoonError{w}
	}
	code, ok := ReadCode(typed)
	switch {
	case !ok:
		return ErrCode
	case !a.state.Code.is(code):
		a.senders.failed(v.key(), now)
		a.note(DeedWrongCode, "", "", v)
		return ErrCode
	}
	a.senders.passed(v.key())
	return nil
}

// SignIn opens a session. Errors: ErrWrong, TooSoonError, ErrBusy, ErrUnclaimed, and CodeNeededError, after
// which Finish opens it.
func (a *Accounts) SignIn(ctx context.Context, name, password string, v Visitor) (token string, err error) {
	name = fold(name)
	user, err := a.verify(ctx, name, password, v)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at, now := a.find(name), time.Now()
	switch {
	case at < 0 || a.state.Users[at].Password != user.Password: // changed while it was compared
		return "", ErrWrong
	case a.state.Users[at].OneTime():
		return "", a.begun(a.state.Users[at], now)
	}
	return a.open(at, a.state.Users[at], v, now)
}

// open begins a session of the user at a place, who is u from now on. It is called with mu held.
func (a *Accounts) open(at int, u User, v Visitor, now time.Time) (token string, err error) {
	token, session := newSession(u.Name, v, now)
	known := append([]string{v.key()}, slices.DeleteFunc(slices.Clone(u.Known), func(k string) bool { return k == v.key() })...)
	u.Known = known[:min(len(known), knownPlaces)]
	err = a.change(func(s *State) {
		s.Users[at] = u
		s.Sessions = append(living(s.Sessions, now), session)
		if len(s.Sessions) > maxSessions {
			slices.SortFunc(s.Sessions, func(x, y Session) int { return x.Seen.Compare(y.Seen) })
			s.Sessions = s.Sessions[len(s.Sessions)-maxSessions:]
		}
	})
	if err != nil {
		return "", err
	}
	a.note(DeedSignedIn, u.Name, "", v)
	return token, nil
}

// Verify tells whether a password is a person's, and counts wrong ones. Errors: as SignIn.
func (a *Accounts) Verify(ctx context.Context, name, password string, v Visitor) error {
	_, err := a.verify(ctx, fold(name), password, v)
	return err
}

func (a *Accounts) verify(ctx context.Context, name, password string, v Visitor) (User, error) {
	user, err := a.knock(name, v)
	if err != nil {
		return user, err
	}
	var right bool
	if err := a.hasher.run(ctx, func() { right = matches(password, user.Password) }); err != nil {
		return user, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !right {
		now := time.Now()
		a.senders.failed(v.key(), now)
		a.names.failed(name, now)
		a.note(DeedWrong, name, "", v)
		return user, ErrWrong
	}
	a.senders.passed(v.key())
	a.names.passed(name)
	return user, nil
}

// knock finds the user, or makes the visitor wait.
func (a *Accounts) knock(name string, v Visitor) (User, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.claimed() {
		return User{}, ErrUnclaimed
	}
	now := time.Now()
	if w := a.senders.wait(v.key(), now); w > 0 {
		return User{}, TooSoonError{w}
	}
	var u User // of nobody: its empty password matches nothing, as slowly as any
	if at := a.find(name); at >= 0 {
		u = a.state.Users[at]
	}
	if w := a.names.wait(name, now); w > 0 && !slices.Contains(u.Known, v.key()) {
		return User{}, TooSoonError{w}
	}
	return u, nil
}

func (a *Accounts) find(name string) int {
	return slices.IndexFunc(a.state.Users, func(u User) bool { return u.Name == name })
}

func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

func checkName(name string) error {
	if n := len([]rune(name)); n < 1 || n > 40 {
		return ErrName
	}
	for _, r := range name {
		if !strings.ContainsRune(".-_@", r) && (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("àèéìòù", r) {
			return ErrName
		}
	}
	return nil
}

func newSession(user string, v Visitor, now time.Time) (token string, s Session) {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	token = base64.RawURLEncoding.EncodeToString(b)
	browser := v.Browser
	if len(browser) > 200 {
		browser = browser[:200]
	}
	return token, Session{ID: sessionID(token), User: user, Created: now, Seen: now, From: v.Addr.Unmap().String(), Browser: strings.ToValidUTF8(browser, "?"), Sealed: v.Sealed}
}

func sessionID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func living(all []Session, now time.Time) []Session {
	return slices.DeleteFunc(slices.Clone(all), func(s Session) bool { return s.over(now) })
}

func (s Session) over(now time.Time) bool {
	return now.Sub(s.Seen) >= idleFor || now.Sub(s.Created) >= lastsFor
}

// Who tells whose session a token opens that came over HTTPS, or in the clear; false is nobody's.
func (a *Accounts) Who(token string, sealed bool) (User, bool) {
	if token == "" {
		return User{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	id, now := sessionID(token), time.Now()
	at := slices.IndexFunc(a.state.Sessions, func(s Session) bool { return s.ID == id })
	if at < 0 || a.state.Sessions[at].Sealed != sealed || a.state.Sessions[at].over(now) {
		return User{}, false
	}
	u := a.find(a.state.Sessions[at].User)
	if u < 0 {
		return User{}, false
	}
	if now.Sub(a.state.Sessions[at].Seen) >= noteSeen {
		// A disk that refuses this costs an early end of the session, not the request.
		_ = a.change(func(s *State) { s.Sessions[at].Seen = now })
	}
	return a.state.Users[u], true
}

// SignOut ends a session. It is no error when there is none.
func (a *Accounts) SignOut(token string, v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := sessionID(token)
	at := slices.IndexFunc(a.state.Sessions, func(s Session) bool { return s.ID == id })
	if at < 0 {
		return nil
	}
	user := a.state.Sessions[at].User
	if err := a.change(func(s *State) { s.Sessions = slices.Delete(s.Sessions, at, at+1) }); err != nil {
		return err
	}
	a.note(DeedSignedOut, user, "", v)
	return nil
}
