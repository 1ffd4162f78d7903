package trunk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
)

// ErrNotOurs is returned for a challenge that this trunk's credentials are not for.
var ErrNotOurs = errors.New("the challenge is not for this trunk")

// ErrRefused is returned when the carrier does not accept the answer to its challenge.
var ErrRefused = errors.New("the carrier refused the credentials")

const maxCounted = 32 // nonces whose counts are remembered

// signer answers challenges with the trunk's credentials. It counts the uses of each nonce (RFC
// 7616 section 3.4), which REGISTER and concurrent calls may share, so it has a lock.
type signer struct {
	who digest.Credentials

	mu    sync.Mutex
	count map[string]uint32
}

func (g *signer) sign(c digest.Challenge, method sip.RequestMethod, uri string) (string, error) {
	g.mu.Lock()
	if len(g.count) >= maxCounted && g.count[c.Nonce] == 0 {
		// A forgotten nonce costs one stale=true; carriers hand out a new one each time anyway.
		g.count = nil
	}
	if g.count == nil {
		g.count = map[string]uint32{}
	}
	g.count[c.Nonce]++
	nc := g.count[c.Nonce]
	g.mu.Unlock()
	a, err := digest.Answer(c, g.who, string(method), uri, nc, rand.Text())
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// challengesOf reads what a 401 or 407 can be answered with, in the carrier's order.
func challengesOf(res *sip.Response) []challenge {
	header, proxy := "WWW-Authenticate", false
	if res.StatusCode == sip.StatusProxyAuthRequired {
		header, proxy = "Proxy-Authenticate", true
	}
	var list []challenge
	for _, h := range res.GetHeaders(header) {
		if c, err := digest.ParseChallenge(h.Value()); err == nil {
			list = append(list, challenge{c, proxy})
		}
	}
	return list
}

func authorizationHeader(proxy bool, value string) sip.Header {
	if proxy {
		return sip.NewHeader("Proxy-Authorization", value)
	}
	return sip.NewHeader("Authorization", value)
}

// Auth returns what answers the challenges of one call to this carrier, for
// dialog.InviteRequest.Auth and for restored calls. It answers the trunk's own realm only. A request
// that already carries credentials is answered again only if the carrier says that the nonce was too
// old, or if a proxy and the server behind it ask in turn; each request of a call may be challenged
// anew.
func (t *Trunk) Auth() func(res *sip.Response, req *sip.Request) (sip.Header, error) {
	return func(res *sip.Response, req *sip.Request) (sip.Header, error) {
		for _, c := range challengesOf(res) {
			if !t.ours(c.Realm) {
				continue
			}
			if req.GetHeader(authorizationHeader(c.proxy, "").Name()) != nil && !c.Stale {
				return nil, fmt.Errorf("trunk %q: %w", t.cfg.ID, ErrRefused)
			}
			value, err := t.signer.sign(c.Challenge, req.Method, req.Recipient.String())
			if err != nil {
				return nil, fmt.Errorf("trunk %q: %w", t.cfg.ID, err)
			}
			return authorizationHeader(c.proxy, value), nil
		}
		return nil, fmt.Errorf("trunk %q: %w", t.cfg.ID, ErrNotOurs)
	}
}

// ours reports whether a call's challenge of this realm may be answered: the configured realm, else
// the one that registered us, else the domain. Unlike a registrar's, a call's challenge may come
// from anywhere behind the carrier, so nothing is learned from it.
func (t *Trunk) ours(realm string) bool {
	learned := t.view().realm
	if learned == "" {
		learned = t.cfg.Domain
	}
	if t.cfg.Realm == "" && learned == "" {
		return false
	}
	return realmAllowed(t.cfg.Realm, learned, realm) || t.cfg.Realm == "" && strings.EqualFold(realm, t.cfg.Domain) && realm != ""
}
