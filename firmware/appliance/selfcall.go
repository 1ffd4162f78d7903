package appliance

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Devices whose names begin so are nobody's phones: each is the account of one call that the health check makes to
// hear itself. By the name alone a process that takes such a call over after a kill knows what it is.
const selfCaller = "~fit~"

// selfCallFor is how long the account can be used.
const selfCallFor = time.Minute

// selfCall is the account of the health check's next call; each one ends that before.
type selfCall struct {
	mu      sync.Mutex // guards both
	account registrar.Account
	until   time.Time
}

// offerSelfCall makes the account: of a random name and secret, for a minute, for this machine alone.
func (b *Box) offerSelfCall(now time.Time) (selfCallOffer, error) {
	c := b.booted
	number, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000))
	if err != nil {
		return selfCallOffer{}, fmt.Errorf("a call of the box to itself: %w", err)
	}
	offer := selfCallOffer{
		Address: here(c.SIP.Listen), Media: c.Media.Bind, User: selfCaller + strings.ToLower(rand.Text()), Password: rand.Text(),
		Number: fmt.Sprintf("9%09d", number), // no emergency number begins so
	}
	if !offer.Media.IsValid() || offer.Media.IsUnspecified() {
		offer.Media = offer.Address.Addr()
	}
	realm := c.SIP.Realm
	b.selfCall.mu.Lock()
	defer b.selfCall.mu.Unlock()
	b.selfCall.until = now.Add(selfCallFor)
	b.selfCall.account = registrar.Account{
		Device: tel.DeviceID(offer.User), OwnMachine: true,
		HA1: map[digest.Algorithm]string{digest.SHA256: digest.HA1(digest.SHA256, offer.User, realm, offer.Password)},
	}
	return offer, nil
}

// sipAccount is who may call under a name: a phone, or the health check.
func (b *Box) sipAccount(user string) (registrar.Account, bool) {
	if !strings.HasPrefix(user, selfCaller) {
		a, ok := b.numbering.Load().accounts[user]
		return a, ok
	}
	s := &b.selfCall
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account, string(s.account.Device) == user && time.Now().Before(s.until)
}

// ofSelfCall reports that a party is the health check.
func ofSelfCall(party string) bool { return strings.HasPrefix(party, "phone:"+selfCaller) }

// errSelfCall refuses the health check what is no call to the echo.
var errSelfCall = errors.New("the health check calls the echo, and takes no part in the calls of others")

// screenSelfCall keeps it out of calls that are not its own (RFC 3891, RFC 3911).
func screenSelfCall(in call.Arrival) error {
	if ofSelfCall(in.From) && (in.Replaces != "" || in.Join != "") {
		return errSelfCall
	}
	return nil
}

// selfCallDecision lets the health check hear itself. Numbers of the form that offerSelfCall gives reach nothing else.
func selfCallDecision(dialed tel.Number) call.Decision {
	if len(dialed) == 10 && dialed[0] == '9' {
		return call.Decision{Kind: call.ToEcho}
	}
	return call.Decision{Kind: call.Refuse, Cause: tel.CauseForbidden}
}

// publishCall is publish for what calls tell. Calls of the health check are told to nobody: they are in no list, no
// figure and no record, and keep no restart waiting.
func (b *Box) publishCall(e tel.Event) {
	switch e := e.(type) {
	case tel.CallChanged:
		if ofSelfCall(e.Via) {
			return
		}
	case tel.PartyChanged:
		if ofSelfCall(e.Party) {
			return
		}
	case tel.CallEnded:
		if ofSelfCall(e.In) {
			return
		}
	}
	b.publish(e)
}
