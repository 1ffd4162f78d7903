package trunk

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

type move struct {
	event any
	want  string
}

// play walks the machine through moves; the policy is that of a trunk that registers and is watched.
func play(t *testing.T, change func(*policy), all map[string][]move) {
	t.Helper()
	for name, moves := range all {
		t.Run(name, func(t *testing.T) {
			p := policy{mode: Register, retry: time.Minute}
			if change != nil {
				change(&p)
			}
			walk(t, p, fresh(), func(yield func(any, string) bool) {
				for _, m := range moves {
					if !yield(m.event, m.want) {
						return
					}
				}
			})
		})
	}
}

var (
	granted = reply{status: 200, granted: 1000 * time.Second}
	nothing = reply{}
)

func TestTheNextServerTakesOverAndThePreferredOneReturns(t *testing.T) {
	start := []move{
		{"due without flow", "resolve | down registering"},
		{"found both", "save register | down registering"},
	}
	second := append(start[:2:2],
		move{nothing, "save register@second | down registering"},
		move{granted, "save | up ok wait 10m0s"})
	play(t, nil, map[string][]move{
		"silence, and back after 10 min": append(second[:4:4],
			move{"due", "resolve | up ok"},
			move{"found both", "save register | up ok"},
			move{granted, "save | up ok wait 14m10s"}),
		"the preferred one is still dead: up all the while": append(second[:4:4],
			move{"due", "resolve | up ok"},
			move{"found both", "save register | up ok"},
			move{nothing, "save register@second | up ok"},
			move{granted, "save | up ok wait 10m0s"}),
		"a name server that is gone takes nothing away": append(second[:4:4],
			move{"due", "resolve | up ok"},
			move{"not found", "save register@second | up ok"},
			move{granted, "save | up ok wait 14m10s"}),
		"503":                                  append(start[:2:2], move{reply{status: 503}, "save register@second | down registering"}),
		"500":                                  append(start[:2:2], move{reply{status: 500}, "save register@second | down registering"}),
		"408":                                  append(start[:2:2], move{reply{status: 408}, "save register@second | down registering"}),
		"a lost result":                        append(start[:2:2], move{"due", "save register@second | down registering"}),
		"a refusal is the word of all servers": append(start[:2:2], move{reply{status: 403}, " | down registering wait 1m0s"}),
		"all fail": append(start[:2:2],
			move{nothing, "save register@second | down registering"},
			move{reply{status: 503}, " | down unreachable wait 1m0s"},
			move{"due", "resolve | down unreachable"}, move{"found both", "save register | down unreachable"}),
		"a refresh that fails at one server is made at the other": append(start[:2:2],
			move{granted, "save | up ok wait 14m10s"},
			move{"due", "save register | up ok"},
			move{nothing, "save register@second | up ok"},
			move{granted, "save | up ok wait 10m0s"}),
		"calls that cannot be carried move to the other server": append(start[:2:2],
			move{granted, "save | up ok wait 14m10s"},
			move{Outcome{Status: 503}, "save register@second | up ok"},
			move{granted, "save | up ok wait 10m0s"}),
		"calls that cannot be carried, and no other server either: nothing is worse than before": append(start[:2:2],
			move{granted, "save | up ok wait 14m10s"},
			move{Outcome{Status: 503}, "save register@second | up ok"},
			move{nothing, " | up ok wait 14m8s"},
			move{"due", "save register | up ok"}),
		"a busy called party moves nothing": append(start[:2:2],
			move{granted, "save | up ok wait 14m10s"},
			move{Outcome{Status: 486}, " | up ok wait 14m9s"}),
	})
	play(t, func(p *policy) { p.mode, p.qualify = Address, time.Minute }, map[string][]move{
		"watched: two misses, then the other": {
			{"due without flow", "resolve | down registering"},
			{"found both", "options | down registering"},
			{nothing, " | down registering wait 10s"},
			{"due", "resolve | down registering"},
			{"found both", "options | down registering"},
			{nothing, "options@second | down registering"},
			{reply{status: 200}, "save | up ok wait 1m0s"},
			{"due", "options@second | up ok"},
		},
		"watched: 503 is a miss": {
			{"due without flow", "resolve | down registering"},
			{"found", "options | down registering"},
			{reply{status: 503}, " | down registering wait 10s"},
		},
		"watched: home is tried again, and left at its first miss": {
			{"due without flow", "resolve | down registering"},
			{"found both", "options | down registering"},
			{nothing, " | down registering wait 10s"},
			{"due", "resolve | down registering"},
			{"found both", "options | down registering"},
			{nothing, "options@second | down registering"},
			{reply{status: 200}, "save | up ok wait 1m0s"},
			{9 * time.Minute, " | up ok wait -8m0s"},
			{"due", "options@second | up ok"},
		},
	})
}

func TestRegisteredTrunkIsWatchedBetweenRefreshes(t *testing.T) {
	day := reply{status: 200, granted: 24 * time.Hour}
	up := []move{
		{"due without flow", "resolve | down registering"},
		{"found both", "save register | down registering"},
		{day, "save | up ok wait 1m0s"},
	}
	play(t, func(p *policy) { p.qualify = time.Minute }, map[string][]move{
		"an outage is seen in minutes, not in a day": append(up[:3:3],
			move{"due", "options | up ok"}, move{reply{status: 405}, " | up ok wait 1m0s"},
			move{"due", "options | up ok"}, move{nothing, " | up ok wait 10s"},
			move{"due", "options | up ok"}, move{nothing, "resolve | up ok"},
			move{"found both", "save register | up ok"}, move{nothing, "save register@second | up ok"}),
		"a carrier that never answers OPTIONS is left in peace": append(up[:3:3],
			move{"due", "options | up ok"}, move{nothing, " | up ok wait 10s"},
			move{"due", "options | up ok"}, move{nothing, " | up ok wait 20h22m48s"}),
		"a connection that is gone is replaced": append(up[:3:3],
			move{"due without flow", "resolve | up ok"}),
		"a lost answer is a miss": append(up[:3:3],
			move{"due", "options | up ok"}, move{"due", " | up ok wait 10s"}),
	})
}

func TestRemovedTrunkSaysGoodbye(t *testing.T) {
	up := []move{
		{"due without flow", "resolve | down registering"},
		{"found", "save register | down registering"},
		{granted, "save | up ok wait 14m10s"},
	}
	play(t, nil, map[string][]move{
		"registered": append(up[:3:3], move{"leave", "unregister | up ok"}, move{reply{status: 200}, "left | down disabled"}),
		"challenged": append(up[:3:3], move{"leave", "unregister | up ok"},
			move{unauthorized(asked("tim.it", "n1", false)), "unregister:n1 | up ok"}, move{reply{status: 200}, "left | down disabled"}),
		"refused":   append(up[:3:3], move{"leave", "unregister | up ok"}, move{reply{status: 500}, "left | down disabled"}),
		"no answer": append(up[:3:3], move{"leave", "unregister | up ok"}, move{"due", "left | down disabled"}),
		"a stranger asks for the password": append(up[:3:3], move{unauthorized(asked("x", "n0", false)), " | up ok wait 14m9s"},
			move{"leave", "unregister | up ok"}),
		"never registered":              {{"due without flow", "resolve | down registering"}, {"leave", "left | down disabled"}, {"found", " | down disabled"}},
		"calls change nothing any more": append(up[:3:3], move{"leave", "unregister | up ok"}, move{Outcome{Status: 402}, " | up ok"}),
	})
	play(t, func(p *policy) { p.mode, p.qualify = Address, time.Minute }, map[string][]move{
		"watched only": {{"due without flow", "resolve | down registering"}, {"found", "options | down registering"}, {reply{status: 200}, "save | up ok wait 1m0s"}, {"leave", "left | down disabled"}},
	})
}

// Each cause of the closed list that a carrier can produce is reached, and left again.
func TestEveryCauseOfATrunkIsReachedAndLeft(t *testing.T) {
	up := []move{
		{"due without flow", "resolve | down registering"},
		{"found", "save register | down registering"},
		{granted, "save | up ok wait 14m10s"},
	}
	good := move{Outcome{Status: 200}, " | up ok wait 14m8s"}
	after := func(moves ...move) []move { return append(up[:3:3], moves...) }
	play(t, nil, map[string][]move{
		"dns_failed":                      {{"due without flow", "resolve | down registering"}, {"not found", " | down dns_failed wait 1m0s"}, {"due", "resolve | down dns_failed"}, {"found", "save register | down dns_failed"}, {granted, "save | up ok wait 14m10s"}},
		"unreachable":                     {{"due without flow", "resolve | down registering"}, {"found", "save register | down registering"}, {nothing, " | down unreachable wait 1m0s"}},
		"tls_untrusted, at the handshake": {{"due without flow", "resolve | down registering"}, {"found", "save register | down registering"}, {reply{untrusted: true}, " | down tls_untrusted wait 1m0s"}},
		"tls_untrusted, before":           {{"due without flow", "resolve | down registering"}, {"found an impostor", " | down tls_untrusted wait 1m0s"}},
		"wrong_domain":                    {{"due without flow", "resolve | down registering"}, {"found", "save register | down registering"}, {reply{status: 404}, " | down wrong_domain wait 1m0s"}},
		"too_many_registrations, as a refusal": {
			{"due without flow", "resolve | down registering"},
			{"found", "save register | down registering"},
			{reply{status: 403, text: "Too many contacts"}, " | down too_many_registrations wait 1m0s"},
		},
		"too_many_registrations, in the list of contacts": {
			{"due without flow", "resolve | down registering"},
			{"found", "save register | down registering"},
			{reply{status: 200, granted: 1000 * time.Second, others: 1}, "save | up too_many_registrations wait 14m10s"},
			{"due", "save register | up too_many_registrations"},
			{granted, "save | up ok wait 14m10s"},
		},
		"expired_early: registered anew at once, then more often, until one lives through": after(
			move{299 * time.Second, " | up ok wait 9m11s"},
			move{Outcome{Status: 403, Text: "Forbidden - not registered"}, " | down expired_early wait 0s"},
			move{"due", "save register | down expired_early"},
			move{granted, "save | up expired_early wait 4m15s"},
			move{"due", "save register | up expired_early"},
			move{granted, "save | up ok wait 4m15s"}),
		"refused_number: twice, so that one person's mistake is none": after(
			move{Outcome{Status: 403, Text: "Forbidden"}, " | up ok wait 14m9s"},
			move{Outcome{Status: 484}, " | up refused_number wait 14m8s"},
			move{Outcome{Status: 486}, " | up ok wait 14m7s"}),
		"refused_number, said by the network": after(
			move{Outcome{Status: 500, Q850: 28}, " | up ok wait 14m9s"}, move{Outcome{Status: 500, Q850: 28}, " | up refused_number wait 14m8s"}),
		"refused_credentials of calls": after(
			move{Outcome{Status: 407}, " | up ok wait 14m9s"}, move{Outcome{Status: 401}, " | up refused_credentials wait 14m8s"},
			move{Outcome{Status: 200}, " | up ok wait 14m7s"}),
		"spend_limit":                 after(move{Outcome{Status: 402}, " | up spend_limit wait 14m9s"}, good),
		"spend_limit in words":        after(move{Outcome{Status: 503, Text: "Credito esaurito"}, " | up spend_limit wait 14m9s"}, good),
		"codec_mismatch":              after(move{Outcome{Status: 488}, " | up codec_mismatch wait 14m9s"}, good),
		"codec_mismatch of a gateway": after(move{Outcome{Status: 500, Q850: 88}, " | up codec_mismatch wait 14m9s"}, good),
		"carrier_down: three in a row": after(
			move{Outcome{Status: 503}, " | up ok wait 14m9s"}, move{Outcome{Status: 500, Q850: 38}, " | up ok wait 14m8s"},
			move{Outcome{Status: 0}, " | up carrier_down wait 14m7s"}, move{Outcome{Status: 404}, " | up ok wait 14m6s"}),
		"carrier_down: not with a success between": after(
			move{Outcome{Status: 503}, " | up ok wait 14m9s"}, move{Outcome{Status: 503}, " | up ok wait 14m8s"},
			move{Outcome{Status: 200}, " | up ok wait 14m7s"}, move{Outcome{Status: 503}, " | up ok wait 14m6s"}),
		"nat_one_way_audio: until audio comes": after(
			move{Outcome{Status: 200, OneWay: true}, " | up nat_one_way_audio wait 14m9s"},
			move{Outcome{Status: 200}, " | up nat_one_way_audio wait 14m8s"},
			move{Outcome{Status: 200, Incoming: true, BothWays: true}, " | up ok wait 14m7s"}),
	})
	play(t, func(p *policy) { p.qualify = time.Minute }, map[string][]move{
		"expired_early, heard by OPTIONS": {
			{"due without flow", "resolve | down registering"},
			{"found", "save register | down registering"},
			{granted, "save | up ok wait 1m0s"},
			{"due", "options | up ok"},
			{reply{status: 404, text: "User not registered"}, " | down expired_early wait 0s"},
			{"due", "save register | down expired_early"},
		},
	})
}

func TestContactNamesWhereTheCarrierSeesUs(t *testing.T) {
	at := func(port string) netip.AddrPort { return netip.MustParseAddrPort("198.51.100.1:" + port) }
	seen := func(status int, port string) reply {
		r := reply{status: status, granted: 1000 * time.Second, seen: at(port)}
		if status == 401 {
			r.challenges = []challenge{asked("tim.it", "n1", false)}
		}
		return r
	}
	play(t, func(p *policy) { p.learn = true }, map[string][]move{
		"learned from the challenge: one round, as always": {
			{"due without flow", "resolve | down registering"},
			{"found", "save register | down registering"},
			{seen(401, "4711"), "save register:n1 | down registering"},
			{seen(200, "4711"), "save | up ok wait 14m10s"},
		},
		"learned from the 200: once more": {
			{"due without flow", "resolve | down registering"},
			{"found", "save register | down registering"},
			{seen(200, "4711"), "save register | up ok"},
			{seen(200, "4711"), "save | up ok wait 14m10s"},
			{"due", "save register | up ok"},
			{seen(200, "4711"), "save | up ok wait 14m10s"},
		},
		"a router with another port each time makes no loop": {
			{"due without flow", "resolve | down registering"},
			{"found", "save register | down registering"},
			{seen(200, "1"), "save register | up ok"},
			{seen(200, "2"), "save | up ok wait 14m10s"},
			{"due", "save register | up ok"},
			{seen(200, "3"), "save register | up ok"},
			{seen(200, "4"), "save | up ok wait 14m10s"},
		},
	})
	play(t, nil, map[string][]move{
		"not asked for": {
			{"due without flow", "resolve | down registering"},
			{"found", "save register | down registering"},
			{seen(200, "4711"), "save | up ok wait 14m10s"},
		},
	})
}

func TestCausesBetweenCarrierAndBox(t *testing.T) {
	for c := tel.CauseNone; c <= tel.CauseAnonymous; c++ {
		status, q850 := Refusal(c)
		if status < 400 || status > 599 || q850 < 1 || q850 > 127 {
			t.Errorf("%v is answered with %d and Q.850 %d", c, status, q850)
		}
	}
	if status, q850 := Refusal(tel.CauseAnonymous + 1); status != 500 || q850 != 41 {
		t.Errorf("a cause of the future: %d, %d", status, q850)
	}
	for c, want := range map[tel.Cause]int{
		tel.CauseUnallocated: 404, tel.CauseBusy: 486, tel.CauseRejected: 403, tel.CauseNoAnswer: 480, tel.CauseCongestion: 503, tel.CauseNotAcceptable: 488,
		tel.CauseLoop: 483, tel.CauseAnonymous: 433,
	} {
		if got, _ := Refusal(c); got != want {
			t.Errorf("%v: %d, want %d", c, got, want)
		}
	}
	for name, tc := range map[string]struct {
		status, q850 int
		cause        tel.Cause
	}{
		"busy":                                     {486, 0, tel.CauseBusy},
		"busy everywhere":                          {600, 0, tel.CauseBusy},
		"declined":                                 {603, 0, tel.CauseRejected},
		"unwanted (RFC 8197)":                      {607, 0, tel.CauseRejected},
		"no such number":                           {404, 0, tel.CauseUnallocated},
		"nowhere such a number":                    {604, 0, tel.CauseUnallocated},
		"no such number, said by a lost route":     {404, 3, tel.CauseNetworkFailure},
		"a gateway's 500 for a busy line":          {500, 17, tel.CauseBusy},
		"a gateway's 480 for a full network":       {480, 34, tel.CauseCongestion},
		"a gateway's 503 for nobody at home":       {503, 19, tel.CauseNoAnswer},
		"a number that the network cannot read":    {500, 28, tel.CauseForbidden},
		"nobody there":                             {480, 20, tel.CauseNoAnswer},
		"number changed":                           {410, 22, tel.CauseUnallocated},
		"an unknown Q.850 cause: the status":       {486, 99, tel.CauseBusy},
		"the carrier wants money":                  {402, 0, tel.CauseForbidden},
		"forbidden over this carrier":              {403, 0, tel.CauseForbidden},
		"the password is wrong":                    {407, 0, tel.CauseForbidden},
		"the form of the number":                   {484, 0, tel.CauseForbidden},
		"no common codec with this carrier":        {488, 0, tel.CauseNotAcceptable},
		"100rel demanded of a box without":         {421, 0, tel.CauseNotAcceptable},
		"overloaded":                               {503, 0, tel.CauseCongestion},
		"a fault of the carrier":                   {500, 0, tel.CauseNetworkFailure},
		"a fault nobody named":                     {599, 0, tel.CauseNetworkFailure},
		"a word of six hundred that nobody named":  {699, 0, tel.CauseNetworkFailure},
		"a word of four hundred that nobody named": {499, 0, tel.CauseRejected},
		"silence":        {0, 0, tel.CauseTimeout},
		"our own CANCEL": {487, 0, tel.CauseCancelled},
	} {
		if cause := Failure(tc.status, tc.q850); cause != tc.cause {
			t.Errorf("%s: %v, want %v", name, cause, tc.cause)
		}
	}
}
