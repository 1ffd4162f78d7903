package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"image"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// One-time codes of an authenticator app (RFC 6238): six digits, a new one each 30 s, of which the one
// before and the one after count too, since clocks differ.
const (
	step       = 30 * time.Second
	spareCodes = 10
	halfFor    = 5 * time.Minute // between the password and the code
	halfTries  = 5
	maxHalves  = 200
)

// The refusals of one-time codes.
var (
	ErrOneTime  = errors.New("the one-time code is wrong or was used already")
	ErrNoSecret = errors.New("one-time codes were not begun")
	ErrStale    = errors.New("the sign-in took too long: begin again")
)

// CodeNeededError says that the password was right and a one-time code is wanted. Half is what Finish takes.
type CodeNeededError struct{ Half string }

// Error implements error.
func (CodeNeededError) Error() string { return "a one-time code is needed" }

// half is a sign-in between its password and its code.
type half struct {
	user, password string // the hash that was matched
	until          time.Time
	tries          int
}

// begun opens a sign-in that waits for its code. It is called with mu held.
func (a *Accounts) begun(u User, now time.Time) error {
	for t, h := range a.halves {
		if !now.Before(h.until) {
			delete(a.halves, t)
		}
	}
	if len(a.halves) >= maxHalves {
		return ErrBusy
	}
	token := rand.Text()
	a.halves[token] = &half{user: u.Name, password: u.Password, until: now.Add(halfFor)}
	return CodeNeededError{token}
}

// Finish ends a sign-in with a one-time code, or with a spare one. Errors: ErrOneTime, ErrStale.
func (a *Accounts) Finish(token, code string, v Visitor) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	h := a.halves[token]
	if h == nil || !now.Before(h.until) {
		return "", ErrStale
	}
	at := a.find(h.user)
	if at < 0 || a.state.Users[at].Password != h.password {
		delete(a.halves, token)
		return "", ErrStale
	}
	next, ok := a.state.Users[at].accept(code, now)
	if !ok {
		if h.tries++; h.tries >= halfTries {
			delete(a.halves, token) // the next try costs another password
		}
		a.senders.failed(v.key(), now)
		a.note(DeedWrongOneTime, h.user, "", v)
		return "", ErrOneTime
	}
	delete(a.halves, token)
	return a.open(at, next, v, now)
}

// accept tells whether a code is right, and the user after it: a code counts once.
func (u User) accept(code string, now time.Time) (User, bool) {
	code = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToUpper(code))
	if len(code) != 6 {
		hashed := spareHash(code)
		i := slices.IndexFunc(u.Spare, func(s string) bool { return subtle.ConstantTimeCompare([]byte(s), []byte(hashed)) == 1 })
		if i < 0 {
			return u, false
		}
		u.Spare = slices.Delete(slices.Clone(u.Spare), i, i+1)
		return u, true
	}
	for d := int64(-1); d <= 1; d++ {
		n := now.Unix()/int64(step/time.Second) + d
		want, err := hotp.GenerateCode(u.Secret, uint64(max(n, 0)))
		if err == nil && n > u.Step && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			u.Step = n
			return u, true
		}
	}
	return u, false
}

func spareHash(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// Secret is what an authenticator app must know.
type Secret struct{ key *otp.Key }

// Text is the secret to be typed.
func (s Secret) Text() string { return s.key.Secret() }

// QR is the secret to be photographed.
func (s Secret) QR() (image.Image, error) { return s.key.Image(240, 240) }

// BeginOneTime draws a secret for a person; it counts when ConfirmOneTime has proved that an app knows it.
// Until then the same one is given again. Box is the name that the app shows.
func (a *Accounts) BeginOneTime(name, box string) (Secret, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name = fold(name)
	if a.find(name) < 0 {
		return Secret{}, ErrNobody
	}
	if s, ok := a.secrets[name]; ok {
		return s, nil
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Pronto " + box, AccountName: name, Rand: rand.Reader})
	if err != nil {
		return Secret{}, err
	}
	a.secrets[name] = Secret{key}
	return Secret{key}, nil
}

// ConfirmOneTime switches one-time codes on for a person whose app shows a right one, and returns spare codes,
// each good once, for the day when the app is lost. Errors: ErrNoSecret, ErrOneTime.
func (a *Accounts) ConfirmOneTime(name, code string, v Visitor) (spare []string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name = fold(name)
	secret, ok := a.secrets[name]
	at := a.find(name)
	if !ok || at < 0 {
		return nil, ErrNoSecret
	}
	u := a.state.Users[at]
	u.Secret, u.Step, u.Spare = secret.Text(), 0, nil
	if u, ok = u.accept(code, time.Now()); !ok {
		return nil, ErrOneTime
	}
	for range spareCodes {
		b := make([]byte, 5)
		_, _ = rand.Read(b)
		text := base32.StdEncoding.EncodeToString(b)
		spare = append(spare, text[:4]+"-"+text[4:])
		u.Spare = append(u.Spare, spareHash(text))
	}
	if err := a.change(func(s *State) { s.Users[at] = u }); err != nil {
		return nil, err
	}
	delete(a.secrets, name)
	a.note(DeedOneTimeOn, name, "", v)
	return spare, nil
}

// StopOneTime switches one-time codes off.
func (a *Accounts) StopOneTime(by, name string, v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	name = fold(name)
	at := a.find(name)
	if at < 0 {
		return ErrNobody
	}
	delete(a.secrets, name)
	if err := a.change(func(s *State) { s.Users[at].Secret, s.Users[at].Spare, s.Users[at].Step = "", nil, 0 }); err != nil {
		return err
	}
	a.note(DeedOneTimeOff, by, name, v)
	return nil
}
