package access

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Passkeys (W3C Web Authentication, level 3): a key that a person's device keeps and opens with a finger, a face
// or a PIN. It is two factors at once, so neither password nor one-time code is asked for.
const (
	ceremonyFor   = 5 * time.Minute // between the question and the device's answer
	maxCeremonies = 200
	maxPasskeys   = 20 // of one person
	maxLabel      = 40 // characters
)

// The refusals of passkeys.
var (
	ErrPasskey = errors.New("the passkey was not accepted")
	ErrNoName  = errors.New("passkeys need a name such as pronto.local in the address, not a number")
	ErrLabel   = errors.New("a passkey is called by 1 to 40 characters")
)

// Passkey is one device, or one account of a password manager, with which a person signs in.
type Passkey struct {
	Label string              `json:"label"` // how the person calls it
	Site  string              `json:"site"`  // the name of the box in the address when it was made; it works under that name only
	Added time.Time           `json:"added"`
	Used  time.Time           `json:"used,omitzero"`
	Key   webauthn.Credential `json:"key"`
}

// ID names the passkey in forms.
func (p Passkey) ID() string { return base64.RawURLEncoding.EncodeToString(p.Key.ID) }

// Site is where a browser sees the page.
type Site struct {
	Host   string // without its port
	Origin string // scheme://host:port
}

// ceremony is a question that a device has not answered yet. Its token is used once.
type ceremony struct {
	user    string // empty: whoever answers
	site    Site
	session webauthn.SessionData
	until   time.Time
}

// party is what a device is told about the box at one site.
func party(s Site, box string) (*webauthn.WebAuthn, error) {
	if _, err := netip.ParseAddr(strings.Trim(s.Host, "[]")); err == nil {
		return nil, ErrNoName
	}
	return webauthn.New(&webauthn.Config{RPID: s.Host, RPDisplayName: "Pronto " + box, RPOrigins: []string{s.Origin}})
}

// keyholder is a user as the library sees one, at one site.
type keyholder struct {
	User
	site string
}

func (k keyholder) WebAuthnID() []byte          { return k.Handle }
func (k keyholder) WebAuthnName() string        { return k.Name }
func (k keyholder) WebAuthnDisplayName() string { return k.Name }
func (k keyholder) WebAuthnCredentials() (all []webauthn.Credential) {
	for _, p := range k.Passkeys {
		if p.Site == k.site {
			all = append(all, p.Key)
		}
	}
	return all
}

// ask keeps a question and gives it a token. It is called with mu held.
func (a *Accounts) ask(c ceremony, now time.Time) (token string, err error) {
	for t, old := range a.ceremonies {
		if !now.Before(old.until) {
			delete(a.ceremonies, t)
		}
	}
	if len(a.ceremonies) >= maxCeremonies {
		return "", ErrBusy
	}
	c.until = now.Add(ceremonyFor)
	token = rand.Text()
	a.ceremonies[token] = c
	return token, nil
}

// answered takes a question back, of which one answer counts. It is called with mu held.
func (a *Accounts) answered(token, user string) (ceremony, error) {
	c, ok := a.ceremonies[token]
	delete(a.ceremonies, token)
	if !ok || c.user != user || !time.Now().Before(c.until) {
		return c, ErrStale
	}
	return c, nil
}

// BeginPasskey asks a person's browser for a new passkey. Options are what navigator.credentials.create takes;
// AddPasskey wants the token back. Errors: ErrNobody, ErrNoName, ErrFull, ErrBusy.
func (a *Accounts) BeginPasskey(name, box string, at Site) (options json.RawMessage, token string, err error) {
	p, err := party(at, box)
	if err != nil {
		return nil, "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.find(fold(name))
	if i < 0 {
		return nil, "", ErrNobody
	}
	if len(a.state.Users[i].Passkeys) >= maxPasskeys {
		return nil, "", ErrFull
	}
	if a.state.Users[i].Handle == nil {
		handle := make([]byte, 32)
		_, _ = rand.Read(handle)
		if err := a.change(func(s *State) { s.Users[i].Handle = handle }); err != nil {
			return nil, "", err
		}
	}
	holder := keyholder{a.state.Users[i], at.Host}
	var known []protocol.CredentialDescriptor
	for _, k := range holder.WebAuthnCredentials() {
		known = append(known, k.Descriptor())
	}
	creation, session, err := p.BeginRegistration(holder, webauthn.WithExclusions(known), webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
		ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
	}))
	if err != nil {
		return nil, "", fmt.Errorf("begin a passkey: %w", err)
	}
	if token, err = a.ask(ceremony{user: holder.Name, site: at, session: *session}, time.Now()); err != nil {
		return nil, "", err
	}
	options, err = json.Marshal(creation.Response)
	return options, token, err
}

// AddPasskey takes what the browser answered to BeginPasskey. Errors: ErrStale, ErrPasskey, ErrLabel, ErrNobody.
func (a *Accounts) AddPasskey(name, token, label, box string, response []byte, v Visitor) error {
	label = strings.TrimSpace(label)
	if n := len([]rune(label)); n < 1 || n > maxLabel {
		return ErrLabel
	}
	name = fold(name)
	a.mu.Lock()
	defer a.mu.Unlock()
	c, err := a.answered(token, name)
	if err != nil {
		return err
	}
	i := a.find(name)
	if i < 0 {
		return ErrNobody
	}
	p, err := party(c.site, box)
	if err != nil {
		return err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	key, err := p.CreateCredential(keyholder{a.state.Users[i], c.site.Host}, c.session, parsed)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	made := Passkey{Label: label, Site: c.site.Host, Added: time.Now(), Key: *key}
	if err := a.change(func(s *State) { s.Users[i].Passkeys = append(slices.Clone(s.Users[i].Passkeys), made) }); err != nil {
		return err
	}
	a.note(DeedPasskeyAdded, name, label, v)
	return nil
}

// RemovePasskey takes a passkey away from a person. Errors: ErrNobody, ErrPasskey when there is no such one.
func (a *Accounts) RemovePasskey(by, name, id string, v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.find(fold(name))
	if i < 0 {
		return ErrNobody
	}
	k := slices.IndexFunc(a.state.Users[i].Passkeys, func(p Passkey) bool { return p.ID() == id })
	if k < 0 {
		return ErrPasskey
	}
	label := a.state.Users[i].Passkeys[k].Label
	if err := a.change(func(s *State) { s.Users[i].Passkeys = slices.Delete(slices.Clone(s.Users[i].Passkeys), k, k+1) }); err != nil {
		return err
	}
	a.note(DeedPasskeyRemoved, by, label, v)
	return nil
}

// BeginPasskeySignIn asks a browser for any passkey that it has for this site. Options are what
// navigator.credentials.get takes. Errors: ErrUnclaimed, ErrNoName, ErrBusy, TooSoonError.
func (a *Accounts) BeginPasskeySignIn(box string, at Site, v Visitor) (options json.RawMessage, token string, err error) {
	p, err := party(at, box)
	if err != nil {
		return nil, "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	switch w := a.senders.wait(v.key(), now); {
	case !a.claimed():
		return nil, "", ErrUnclaimed
	case w > 0:
		return nil, "", TooSoonError{w}
	}
	assertion, session, err := p.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, "", fmt.Errorf("begin to sign in with a passkey: %w", err)
	}
	if token, err = a.ask(ceremony{site: at, session: *session}, now); err != nil {
		return nil, "", err
	}
	options, err = json.Marshal(assertion.Response)
	return options, token, err
}

// PasskeySignIn opens a session for whose passkey answered. A wrong answer counts against the sender like a wrong
// password. Errors: ErrStale, ErrPasskey, TooSoonError.
func (a *Accounts) PasskeySignIn(token, box string, response []byte, v Visitor) (session string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if w := a.senders.wait(v.key(), now); w > 0 {
		return "", TooSoonError{w}
	}
	c, err := a.answered(token, "")
	if err != nil {
		return "", err
	}
	at, key, err := a.prove(c, box, response)
	if err != nil {
		a.senders.failed(v.key(), now)
		a.note(DeedWrongPasskey, "", "", v)
		return "", fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	u := a.state.Users[at]
	u.Passkeys = slices.Clone(u.Passkeys)
	i := slices.IndexFunc(u.Passkeys, func(p Passkey) bool { return bytes.Equal(p.Key.ID, key.ID) })
	u.Passkeys[i].Key, u.Passkeys[i].Used = *key, now
	a.senders.passed(v.key())
	return a.open(at, u, v, now)
}

// prove finds whose passkey answered, and that it is that one. It is called with mu held.
func (a *Accounts) prove(c ceremony, box string, response []byte) (at int, key *webauthn.Credential, err error) {
	p, err := party(c.site, box)
	if err != nil {
		return 0, nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return 0, nil, err
	}
	_, key, err = p.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		at = slices.IndexFunc(a.state.Users, func(u User) bool { return len(handle) > 0 && bytes.Equal(u.Handle, handle) })
		if at < 0 {
			return nil, ErrNobody
		}
		return keyholder{a.state.Users[at], c.site.Host}, nil
	}, c.session, parsed)
	switch {
	case err != nil:
		return 0, nil, err
	case key.Authenticator.CloneWarning:
		return 0, nil, errors.New("its counter went back: somebody has copied it")
	}
	return at, key, nil
}
