package digest

import (
	"encoding/base64"
	"math/rand/v2"
	"testing"
	"time"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const life = 5 * time.Minute

func TestNonceIsFreshOnlyInTimeAndForItsAddress(t *testing.T) {
	n := NewNonces(nil, life, 10, t0)
	nonce := n.Issue(t0, "192.0.2.1")
	for name, tc := range map[string]struct {
		nonce, scope string
		at           time.Time
		want         Verdict
	}{
		"at once":                     {nonce, "192.0.2.1", t0, NonceFresh},
		"shortly before its end":      {nonce, "192.0.2.1", t0.Add(life - time.Millisecond), NonceFresh},
		"at its end":                  {nonce, "192.0.2.1", t0.Add(life), NonceStale},
		"before its birth":            {nonce, "192.0.2.1", t0.Add(-time.Second), NonceStale},
		"seen from another address":   {nonce, "192.0.2.2", t0, NonceStale},
		"made up":                     {"abc", "192.0.2.1", t0, NonceForeign},
		"made up of the right length": {base64.RawURLEncoding.EncodeToString(make([]byte, nonceSize)), "192.0.2.1", t0, NonceForeign},
		"padded":                      {nonce + "=", "192.0.2.1", t0, NonceForeign},
		"empty":                       {"", "192.0.2.1", t0, NonceForeign},
	} {
		if got := n.Check(tc.nonce, tc.scope, tc.at); got != tc.want {
			t.Errorf("%s: verdict %d, want %d", name, got, tc.want)
		}
	}
}

func TestEveryChangedByteOfANonceIsForeignOrStale(t *testing.T) {
	n := NewNonces(nil, life, 10, t0)
	raw, err := base64.RawURLEncoding.DecodeString(n.Issue(t0, "a"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 1
		if v := n.Check(base64.RawURLEncoding.EncodeToString(raw), "a", t0); v == NonceFresh {
			t.Errorf("byte %d may be changed", i)
		}
		raw[i] ^= 1
	}
}

func TestNonceOfAnEarlierProcessIsStaleNotForeign(t *testing.T) {
	before := NewNonces(nil, life, 10, t0)
	nonce := before.Issue(t0, "a")
	if !before.Use(nonce, 1, t0) {
		t.Fatal("first use refused")
	}
	after := NewNonces(before.Key(), life, 10, t0.Add(time.Second))
	if v := after.Check(nonce, "a", t0.Add(2*time.Second)); v != NonceStale {
		t.Errorf("with the key kept: verdict %d", v)
	}
	if after.Use(nonce, 1, t0.Add(2*time.Second)) {
		t.Error("replayed over a restart")
	}
	if v := NewNonces(nil, life, 10, t0).Check(nonce, "a", t0); v != NonceForeign {
		t.Errorf("with the key lost: verdict %d", v)
	}
	if v := NewNonces(before.Key(), life, 10, t0).Check(nonce, "a", t0); v != NonceStale {
		t.Errorf("restarted within the millisecond: verdict %d", v)
	}
	// Clock set back an hour over the restart: the old nonce comes from the future.
	if v := NewNonces(before.Key(), life, 10, t0.Add(-time.Hour)).Check(nonce, "a", t0.Add(-time.Hour)); v != NonceStale {
		t.Errorf("with the clock set back: verdict %d", v)
	}
}

func TestNonceCountIsAcceptedOnce(t *testing.T) {
	n := NewNonces(nil, life, 10, t0)
	nonce := n.Issue(t0, "a")
	for i, step := range []struct {
		count uint32
		want  bool
	}{
		{1, true}, {1, false}, {3, true}, {2, true}, {2, false}, {3, false}, // swapped by UDP, then replayed
		{100, true}, {37, true}, {37, false}, {36, false}, // the window is 64 wide
		{1, false}, {4000000000, true}, {100, false}, {4000000000, false}, {0, false},
	} {
		if got := n.Use(nonce, step.count, t0); got != step.want {
			t.Errorf("step %d, count %d: %v", i, step.count, got)
		}
	}
	if n.Use("made up", 1, t0) {
		t.Error("a foreign nonce was marked")
	}
	noQOP := n.Issue(t0, "a")
	if !n.Use(noQOP, 0, t0) || n.Use(noQOP, 0, t0) {
		t.Error("a nonce without counts must serve exactly once")
	}
}

// Whatever the order of uses, evictions and time, no pair of nonce and count passes twice, and the
// table stays within its limit.
func TestNoReplayEverPassesAndMemoryIsBounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const limit = 16
	n := NewNonces(nil, life, limit, t0)
	now := t0
	var nonces []string
	passed := map[string]map[uint32]bool{}
	accepted := 0
	for range 50_000 {
		now = now.Add(time.Duration(rng.IntN(900)) * time.Millisecond)
		if len(nonces) < 4 || rng.IntN(4) == 0 {
			nonce := n.Issue(now, "a")
			nonces = append(nonces, nonce)
			passed[nonce] = map[uint32]bool{}
		}
		nonce := nonces[max(0, len(nonces)-1-rng.IntN(40))]
		count := uint32(1 + rng.IntN(100))
		if n.Check(nonce, "a", now) != NonceFresh || !n.Use(nonce, count, now) {
			continue
		}
		accepted++
		if passed[nonce][count] {
			t.Fatalf("count %d passed twice", count)
		}
		passed[nonce][count] = true
		if len(n.used) > limit || len(n.order) != len(n.used) {
			t.Fatalf("table holds %d, order %d", len(n.used), len(n.order))
		}
	}
	if accepted < 1000 {
		t.Fatalf("only %d uses passed: the test proves nothing", accepted)
	}
}

func TestNonceAgesAtHalfItsLife(t *testing.T) {
	n := NewNonces(nil, life, 10, t0)
	nonce := n.Issue(t0, "a")
	if n.Aging(nonce, t0.Add(life/2)) || !n.Aging(nonce, t0.Add(life/2+time.Second)) || n.Aging("x", t0) {
		t.Error("wrong half")
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range Algorithms() {
		b.Run(string(alg), func(b *testing.B) {
			c := Challenge{Realm: "pronto", Nonce: "0123456789012345678901234567890123456789", Algorithm: alg, Auth: true}
			a, err := Answer(c, Credentials{Username: "201", Password: NewSecret("secret")}, "REGISTER", "sip:box", 1, "0a4f113b")
			if err != nil {
				b.Fatal(err)
			}
			ha1 := HA1(alg, "201", "pronto", "secret")
			b.ReportAllocs()
			for b.Loop() {
				if !a.Verify(ha1, "REGISTER") {
					b.Fatal("refused")
				}
			}
		})
	}
}
