package peer

import (
	"net/netip"
	"testing"
	"time"
)

// A quirk that refuses nothing judges nothing.
func TestEveryQuirkBites(t *testing.T) {
	for name, tc := range map[string]struct {
		quirks Quirks
		want   int
	}{
		"outbound proxy only":        {Quirks{ProxyOnly: true}, 403},
		"its own domain":             {Quirks{Domain: "carrier.example"}, 404},
		"number in From":             {Quirks{FromUser: "+390612345678"}, 403},
		"called numbers with +":      {Quirks{E164: true}, 484},
		"headers that must be there": {Quirks{Need: []string{"P-Asserted-Identity"}}, 403},
		"100rel":                     {Quirks{Demand100rel: true}, 421},
		"one payload only":           {Quirks{Payloads: []int{18}}, 488},
		"encryption only":            {Quirks{Secure: true}, 488},
		"none: a busy line":          {Quirks{}, 486},
		"credentials for each nonce": {Quirks{FreshNonce: true}, 486},
		"several payloads: a choice": {Quirks{Payloads: []int{18, 8}}, 486},
	} {
		t.Run(name, func(t *testing.T) {
			carrier := open(t, Config{Accounts: map[string]string{"anna": "secret"}, Quirks: tc.quirks})
			phone := open(t, Config{Box: carrier.Local(), User: "anna", Password: "secret"})
			c, err := phone.Dial(Outgoing{To: "0612345678"})
			if err != nil {
				t.Fatal(err)
			}
			within(t, "an end", c.Ended())
			if status, reason, _ := c.Outcome(); status != tc.want {
				t.Errorf("%d %s, want %d", status, reason, tc.want)
			}
		})
	}
}

func TestQuirksOfTheRegistrarBite(t *testing.T) {
	register := func(t *testing.T, q Quirks, expires time.Duration, before ...*Peer) (int, *Peer) {
		t.Helper()
		carrier := open(t, Config{Accounts: map[string]string{"anna": "secret"}, Quirks: q})
		for _, other := range before {
			other.cfg.Box = carrier.Local()
			if _, err := other.Register(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		phone := open(t, Config{Box: carrier.Local(), User: "anna", Password: "secret"})
		res, err := phone.Register(t.Context(), expires)
		if res == nil {
			t.Fatal(err)
		}
		return res.StatusCode, carrier
	}
	if status, _ := register(t, Quirks{MinExpires: time.Hour}, time.Minute); status != 423 {
		t.Errorf("a registration that is too short: %d", status)
	}
	other := open(t, Config{Box: netip.MustParseAddrPort("127.0.0.1:9"), User: "anna", Password: "secret"})
	if status, _ := register(t, Quirks{Single: true}, time.Hour, other); status != 403 {
		t.Errorf("a second contact: %d", status)
	}
	status, carrier := register(t, Quirks{Expires: 2 * time.Hour, FreshNonce: true}, time.Hour)
	if _, ok := carrier.Registered("anna"); status != 200 || !ok || len(carrier.Requests("REGISTER")) != 2 {
		t.Errorf("%d, %d requests", status, len(carrier.Requests("REGISTER")))
	}
}
