package registrar

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/ban"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const maxAuthorizations = 4 // Authorization headers looked at; honest requests have one per realm

// gate decides who is let in. Nothing it does or says before a password was proved depends on
// whether the user exists.
type gate struct {
	cfg    *Config
	count  *counters
	nonces *digest.Nonces
	speaks func(from netip.AddrPort, dev tel.DeviceID) bool // dev is registered from exactly there
	nobody map[digest.Algorithm]string                      // HA1 that no password has
}

// admission is the gate's decision. status 0 = let in.
type admission struct {
	account   Account
	weak      bool
	nonce     string
	status    int
	reason    string
	challenge []sip.Header
}

func newGate(r *Registrar, now time.Time) *gate {
	g := &gate{
		cfg: &r.cfg, count: &r.count, speaks: r.speaks,
		nonces: digest.NewNonces(decodeNonceKey(r.cfg.Nonce), r.cfg.NonceLifetime, maxNonces, now),
		nobody: map[digest.Algorithm]string{},
	}
	for _, a := range digest.Algorithms() {
		g.nobody[a] = digest.HA1(a, rand16(), rand16(), rand16())
	}
	return g
}

// admit proves that the sender of req is user.
func (g *gate) admit(req *sip.Request, flow stack.Flow, user string, now time.Time) admission {
	auth, no := g.screen(req, flow, user, now)
	if no.status != 0 {
		return no
	}
	addr := flow.Remote.Addr().Unmap()
	account, proved := g.verify(auth, req.Method, flow)
	if !proved {
		g.count.failures.Add(1)
		g.cfg.Bans.Guessed(addr)
		g.cfg.Failed(addr, user)
		return g.challenge(req, addr, false, now)
	}
	if !g.nonces.Use(auth.Nonce, auth.NC, now) {
		return g.challenge(req, addr, true, now)
	}
	g.cfg.Bans.Proved(addr, sought(req, user))
	return admission{account: account, weak: auth.Algorithm == digest.MD5, nonce: auth.Nonce}
}

// screen is what can be said before a password is looked at: no with status 0 = the sender has
// answered a challenge that was sent to its address, so that address is its own.
func (g *gate) screen(req *sip.Request, flow stack.Flow, user string, now time.Time) (auth *digest.Authorization, no admission) {
	addr := flow.Remote.Addr().Unmap()
	if g.refuses(req, flow, user) {
		g.count.blocked.Add(1)
		return nil, admission{status: sip.StatusForbidden, reason: "Forbidden"}
	}
	auth, err := g.authorization(req)
	switch {
	case errors.Is(err, digest.ErrSyntax):
		return nil, admission{status: sip.StatusBadRequest, reason: "Malformed Authorization"}
	case err != nil, auth == nil:
		g.cfg.Bans.Asked(addr, sought(req, user))
		return nil, g.challenge(req, addr, false, now)
	case !sameTarget(&req.Recipient, auth.URI):
		// RFC 7616 section 3.4.6: else a captured header could be sent to another number.
		return nil, admission{status: sip.StatusBadRequest, reason: "Authorization For Another URI"}
	case auth.Username != user:
		return nil, admission{status: sip.StatusForbidden, reason: "Forbidden"}
	}
	switch g.nonces.Check(auth.Nonce, ban.SourceOf(addr).String(), now) {
	case digest.NonceForeign:
		g.cfg.Bans.Asked(addr, sought(req, user))
		return nil, g.challenge(req, addr, false, now)
	case digest.NonceStale:
		return nil, g.challenge(req, addr, true, now)
	case digest.NonceFresh:
	}
	return auth, admission{}
}

// refuses reports that nothing is believed: the source is banned, and this is not the very phone that
// is registered from this very address and port; or the program says itself that it attacks.
func (g *gate) refuses(req *sip.Request, flow stack.Flow, user string) bool {
	addr := flow.Remote.Addr().Unmap()
	if attacker(req) {
		g.cfg.Bans.Scanned(addr)
		return true
	}
	if !g.cfg.Bans.Banned(addr) {
		return false
	}
	account, known := g.cfg.Accounts(user)
	return !known || !g.speaks(flow.Remote, account.Device)
}

// sought is what a request tries: an account, and with it the number that it wants to call.
func sought(req *sip.Request, user string) string {
	if req.Method == sip.REGISTER {
		return user
	}
	return user + " " + req.Recipient.User
}

// attackers are words in the User-Agent of programs that only ever search for accounts and guess
// passwords, and do not trouble to hide it.
func attackers() []string {
	return []string{"friendly-scanner", "friendly-request", "sipvicious", "sundayddr", "sip-scan", "sipsscuser", "sivus", "siparmyknife", "pplsip"}
}

func attacker(req *sip.Request) bool {
	h := req.GetHeader("User-Agent")
	if h == nil {
		return false
	}
	agent := strings.ToLower(h.Value())
	for _, word := range attackers() {
		if strings.Contains(agent, word) {
			return true
		}
	}
	return false
}

// authorization finds the header that answers our realm; nil = there is none. Headers for other
// realms are another server's business.
func (g *gate) authorization(req *sip.Request) (*digest.Authorization, error) {
	var unsupported error
	for i, h := range req.GetHeaders("authorization") {
		if i == maxAuthorizations {
			break
		}
		a, err := digest.ParseAuthorization(h.Value())
		switch {
		case errors.Is(err, digest.ErrUnsupported):
			unsupported = err
		case err != nil:
			return nil, err
		case a.Realm == g.cfg.Realm:
			return &a, nil
		}
	}
	return nil, unsupported
}

// verify computes one digest whatever the user is: an unknown one, and one whose account does not
// allow this login, are compared with an HA1 that no password has.
func (g *gate) verify(auth *digest.Authorization, method sip.RequestMethod, flow stack.Flow) (Account, bool) {
	account, known := g.cfg.Accounts(auth.Username)
	ha1, has := account.HA1[auth.Algorithm]
	if !known || !has || !g.allowed(account, auth, flow) {
		ha1, known = g.nobody[auth.Algorithm], false
	}
	return account, auth.Verify(ha1, string(method)) && known
}

// allowed looks at the network. From outside only devices that are marked for it, and only over a
// transport that hides password hashes and media keys.
func (g *gate) allowed(account Account, auth *digest.Authorization, flow stack.Flow) bool {
	if account.OwnMachine && !ownMachine(flow) {
		return false
	}
	lan := account.OwnMachine || g.cfg.LAN(flow.Remote.Addr().Unmap())
	if !lan && !(account.AnyNetwork && encrypted(flow)) {
		return false
	}
	weak := lan && account.AllowMD5
	if auth.Algorithm == digest.MD5 && !weak {
		return false
	}
	return auth.Auth || auth.Algorithm == digest.MD5 && account.AllowNoQOP
}

// ownMachine reports that the other end of a flow is on this machine: the kernel drops what comes from outside with such
// a source.
func ownMachine(f stack.Flow) bool {
	remote := f.Remote.Addr().Unmap()
	return remote.IsLoopback() || remote == f.Local.Addr().Unmap()
}

func encrypted(f stack.Flow) bool { return f.Transport == "tls" || f.Transport == "wss" }

// challenge is the 401 of RFC 8760 section 2.3. It depends on the box, the network and the program
// that asks, never on the user.
func (g *gate) challenge(req *sip.Request, addr netip.Addr, stale bool, now time.Time) admission {
	a := admission{status: sip.StatusUnauthorized, reason: "Unauthorized"}
	nonce := g.nonces.Issue(now, ban.SourceOf(addr).String())
	for _, alg := range g.offered(req, addr) {
		c := digest.Challenge{Realm: g.cfg.Realm, Nonce: nonce, Algorithm: alg, Auth: true, Stale: stale}
		a.challenge = append(a.challenge, sip.NewHeader("WWW-Authenticate", c.String()))
	}
	return a
}

func (g *gate) offered(req *sip.Request, addr netip.Addr) []digest.Algorithm {
	if !g.cfg.NeedMD5() || !g.cfg.LAN(addr) {
		return []digest.Algorithm{digest.SHA256}
	}
	if h := req.GetHeader("User-Agent"); h != nil {
		for _, agent := range g.cfg.MD5Agents {
			if strings.HasPrefix(h.Value(), agent) {
				return []digest.Algorithm{digest.MD5}
			}
		}
	}
	return digest.Algorithms()
}

// sameTarget compares the request line with the digest's uri by user and host; parameters and
// ports differ harmlessly between phones.
func sameTarget(target *sip.Uri, text string) bool {
	var u sip.Uri
	if sip.ParseUri(text, &u) != nil {
		return false
	}
	return u.User == target.User && strings.EqualFold(u.Host, target.Host) && u.Raw() == target.Raw()
}

// Repel answers 403 to a request from a banned source or of an attack program, which is counted, and
// reports whether it did. It is for requests that need no password: the others are judged where the
// password is.
func (r *Registrar) Repel(tx Transaction) bool {
	user, _ := sender(tx.Request())
	if !r.gate.refuses(tx.Request(), tx.Flow(), user) {
		return false
	}
	r.count.blocked.Add(1)
	r.answer(tx, &final{status: sip.StatusForbidden, reason: "Forbidden"})
	return true
}

// Authenticate proves who sent a request other than REGISTER: the user of its From header. status
// 0 = dev is proved; 401 comes with the challenges to send, SHA-256 first; 403 = too many failures
// from this address, or credentials for somebody else; 400 = malformed. It may be called from any
// goroutine and does not block.
func (r *Registrar) Authenticate(req *sip.Request, flow stack.Flow) (dev tel.DeviceID, challenge []sip.Header, status int) {
	user, ok := sender(req)
	if !ok {
		r.count.malformed.Add(1)
		return "", nil, sip.StatusBadRequest
	}
	a := r.gate.admit(req, flow, user, time.Now())
	if a.status != 0 {
		return "", a.challenge, a.status
	}
	return a.account.Device, nil, 0
}

// sender is the user of the From header.
func sender(req *sip.Request) (user string, ok bool) {
	from := req.From()
	if from == nil {
		return "", false
	}
	return userOf(&from.Address)
}
