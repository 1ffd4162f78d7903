package ban

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	thief = netip.MustParseAddr("203.0.113.7")
	owner = netip.MustParseAddr("203.0.113.8")
	desk  = netip.MustParseAddr("192.168.1.20")
)

func on(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 5060) }

// notes is a hot journal in memory.
type notes struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   int
}

func (n *notes) Put(_, key string, value []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.values == nil {
		n.values = map[string][]byte{}
	}
	n.values[key] = value
	n.puts++
	return nil
}

func (n *notes) Delete(_, key string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.values, key)
	return nil
}

func made(t testing.TB, change ...func(*Config)) *Bans {
	t.Helper()
	cfg := Config{Near: netip.Addr.IsPrivate}
	for _, c := range change {
		c(&cfg)
	}
	b := New(cfg)
	t.Cleanup(b.Close)
	return b
}

func guess(b *Bans, a netip.Addr, n int) {
	for range n {
		b.Guessed(a)
	}
}

func TestTheTenthWrongPasswordBansTheAddressAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := made(t)
		guess(b, thief, 9)
		if b.Deaf(on(thief)) || b.Banned(thief) {
			t.Fatal("banned after nine")
		}
		guess(b, thief, 1)
		if !b.Deaf(on(thief)) || b.Deaf(on(owner)) || b.Banned(owner) {
			t.Errorf("thief %v, owner %v", b.Deaf(on(thief)), b.Deaf(on(owner)))
		}
		if got := b.List(); len(got) != 1 || got[0].Source != "203.0.113.7" || got[0].Why != Guess || got[0].Bans != 1 || got[0].Near {
			t.Errorf("%+v", got)
		}
	})
}

func TestEachBanIsLongerAndAWeekOfPeaceForgives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := made(t)
		lengths := func() (got []time.Duration) {
			for range 4 {
				guess(b, thief, 10)
				start := time.Now()
				for b.Banned(thief) {
					time.Sleep(time.Minute)
				}
				got = append(got, time.Since(start))
			}
			return got
		}
		want := "[10m0s 1h0m0s 24h0m0s 24h0m0s]"
		if got := fmt.Sprint(lengths()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		time.Sleep(forgiven)
		if got := fmt.Sprint(lengths()); got != want {
			t.Errorf("a week later %s, want %s", got, want)
		}
	})
}

func TestWrongPasswordsAreForgottenAfterTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := made(t, func(c *Config) { c.Policy = func() Policy { return Policy{Tries: 3, Window: time.Minute} } })
		for range 50 { // two within each minute
			guess(b, thief, 1)
			time.Sleep(31 * time.Second)
		}
		if b.Banned(thief) {
			t.Error("a person who mistypes now and then is banned")
		}
		guess(b, thief, 2)
		if !b.Banned(thief) {
			t.Error("three within a minute are borne")
		}
	})
}

func TestAnIPv6HostIsBannedWithItsWhole64AndAMappedAddressIsItself(t *testing.T) {
	b := made(t)
	for i := range 10 {
		b.Guessed(netip.MustParseAddr(fmt.Sprintf("2001:db8:0:1::%x", i+1)))
	}
	for addr, want := range map[string]bool{
		"2001:db8:0:1:ffff::1": true, "2001:db8:0:2::1": false, "2001:db8:0:1::1%eth0": true, "203.0.113.7": false,
	} {
		if got := b.Banned(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: banned %v", addr, got)
		}
	}
	guess(b, netip.MustParseAddr("::ffff:203.0.113.7"), 10)
	if !b.Banned(thief) {
		t.Error("an address is another one when it comes through an IPv6 socket")
	}
	if got := b.List(); len(got) != 2 || got[0].Source+got[1].Source != "2001:db8:0:1::/64203.0.113.7" && got[1].Source+got[0].Source != "2001:db8:0:1::/64203.0.113.7" {
		t.Errorf("%+v", got)
	}
}

func TestOnTheLANOnlyLoginsAreRefusedAndForMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := made(t)
		guess(b, desk, 10)
		if !b.Banned(desk) || b.Deaf(on(desk)) {
			t.Errorf("banned %v, not read at all %v: its emergency calls must pass", b.Banned(desk), b.Deaf(on(desk)))
		}
		time.Sleep(time.Minute)
		if b.Banned(desk) {
			t.Error("a phone with an old password waits longer than a minute")
		}
	})
}

func TestCarriersAndChosenNetworksAreNeverBanned(t *testing.T) {
	never := false
	b := made(t, func(c *Config) { c.Never = func(a netip.Addr) bool { return never && a == thief } })
	guess(b, thief, 10)
	if !b.Banned(thief) {
		t.Fatal("not banned")
	}
	never = true // the owner says so afterwards
	if b.Banned(thief) || b.Deaf(on(thief)) || len(b.List()) != 0 {
		t.Error("still banned")
	}
	guess(b, thief, 100)
	b.Scanned(thief)
	never = false
	if got := b.List(); len(got) != 1 || got[0].Bans != 1 {
		t.Errorf("counted all the same: %+v", got)
	}
}

// One phone with a wrong password behind an office's address must not silence the phones beside it.
func TestARegisteredPhoneIsHeardThoughItsAddressIsBanned(t *testing.T) {
	phone := netip.AddrPortFrom(thief, 40001)
	b := made(t, func(c *Config) {
		c.Known = func(a netip.AddrPort) bool { return a == phone }
		c.Behind = func(a netip.Addr) bool { return a == thief }
	})
	guess(b, thief, 10)
	if b.Deaf(phone) || !b.Deaf(on(thief)) || !b.Banned(thief) {
		t.Errorf("the phone %v, its neighbour %v", b.Deaf(phone), b.Deaf(on(thief)))
	}
}

func TestASearchForAccountsIsBannedThoughItGuessesNoPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := made(t)
		for i := range 40 {
			b.Asked(thief, fmt.Sprint(i%19))
			time.Sleep(time.Second)
		}
		if b.Banned(thief) {
			t.Fatal("19 names are a search")
		}
		b.Asked(thief, "one more")
		time.Sleep(unanswered)
		b.Asked(thief, "one more")
		if got := b.List(); len(got) != 1 || got[0].Why != Search {
			t.Errorf("%+v", got)
		}
		b.Lift(thief)
		for i := range atOnce * defaultNames {
			b.Asked(thief, fmt.Sprint(i))
		}
		if !b.Banned(thief) {
			t.Error("a hundred names at once are borne")
		}
	})
}

func TestAnOfficeThatLogsInAfterAPowerCutIsNoSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := made(t)
		for round := range 3 {
			for i := range 80 { // all ask at once
				b.Asked(thief, fmt.Sprint(round*80+i))
			}
			time.Sleep(2 * time.Second)
			for i := range 80 {
				b.Proved(thief, fmt.Sprint(round*80+i))
			}
			time.Sleep(time.Minute)
		}
		if b.Banned(thief) {
			t.Error("banned")
		}
	})
}

func TestWhatCanBeForgedBansNobodyWhoHasAPhoneRegistered(t *testing.T) {
	b := made(t, func(c *Config) { c.Behind = func(a netip.Addr) bool { return a == owner } })
	b.Scanned(owner)
	for i := range 1000 {
		b.Asked(owner, fmt.Sprint(i))
	}
	if b.Banned(owner) {
		t.Error("whoever writes the owner's address on a datagram locks the owner out")
	}
	b.Scanned(thief)
	if !b.Banned(thief) {
		t.Error("an attack program is borne")
	}
}

func TestWhatCanBeForgedNeverBansForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := made(t)
		for round := range 5 {
			b.Scanned(thief)
			time.Sleep(10 * time.Minute)
			if b.Banned(thief) {
				t.Fatalf("round %d: banned for more than ten minutes", round)
			}
		}
	})
}

func TestInventedSendersDoNotPushOutWhoGuessed(t *testing.T) {
	b := made(t)
	guess(b, thief, 10)
	for i := range 3 * maxSources {
		b.Scanned(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
	}
	if !b.Banned(thief) {
		t.Error("the guesser is free")
	}
	if n := len(b.barred); n != maxSources+1 {
		t.Errorf("%d are remembered", n)
	}
	if n := len(b.tables[1].records); n != maxSources || b.tables[1].order.Len() != n {
		t.Errorf("%d records, %d in order", n, b.tables[1].order.Len())
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &notes{}
		b := made(t, func(c *Config) { c.Journal = j })
		for i := range 100 {
			guess(b, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 3)
		}
		guess(b, thief, 10)
		time.Sleep(20 * time.Minute)
		b.Guessed(owner) // whatever comes next
		if len(b.tables[0].records) != 2 || len(j.values) != 2 || len(b.barred) != 0 || b.some.Load() {
			t.Errorf("%d records, %d in the journal, %d barred", len(b.tables[0].records), len(j.values), len(b.barred))
		}
		time.Sleep(forgiven)
		b.Guessed(owner)
		if len(b.tables[0].records) != 1 || len(j.values) != 1 {
			t.Errorf("after a week: %d records, %d in the journal", len(b.tables[0].records), len(j.values))
		}
	})
}

func TestALiftedBanLeavesNoPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &notes{}
		b := made(t, func(c *Config) { c.Journal = j })
		guess(b, thief, 10)
		b.Scanned(thief)
		if b.Lift(owner) || !b.Lift(thief) || b.Lift(thief) {
			t.Error("Lift says the wrong thing")
		}
		if b.Banned(thief) || len(b.List()) != 0 || len(j.values) != 0 {
			t.Errorf("%v %+v %d", b.Banned(thief), b.List(), len(j.values))
		}
		guess(b, thief, 10)
		if got := b.List(); len(got) != 1 || got[0].Bans != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAFloodOfBansIsLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		b := made(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&text, nil)) })
		for i := range 500 {
			b.Scanned(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
		}
		time.Sleep(time.Second)
		b.Scanned(thief)
		if n := strings.Count(text.String(), "address banned"); n != 2 || !strings.Contains(text.String(), "others_not_logged=499") {
			t.Errorf("%d lines:\n%s", n, text.String())
		}
	})
}

func TestTheFileIsWrittenAtMostOnceASecondAndWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bans.json")
	synctest.Test(t, func(t *testing.T) {
		b := made(t, func(c *Config) { c.File = path })
		guess(b, thief, 10)
		synctest.Wait()
		first, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			guess(b, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 10)
		}
		synctest.Wait()
		if now, err := os.Stat(path); err != nil || now.Size() != first.Size() {
			t.Errorf("written twice within a second: %v", err)
		}
		b.Close() // writes what is due
		after := made(t, func(c *Config) { c.File = path })
		if err := after.Restore(nil); err != nil || len(after.List()) != 101 {
			t.Errorf("%d bans come back: %v", len(after.List()), err)
		}
	})
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestADiskThatRefusesCostsOnlyALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		b := made(t, func(c *Config) {
			c.File = filepath.Join(t.TempDir(), "missing", "bans.json")
			c.Log = slog.New(slog.NewTextHandler(&text, nil))
		})
		guess(b, thief, 10)
		synctest.Wait()
		if !b.Banned(thief) || !strings.Contains(text.String(), "bans are not on the disk") {
			t.Errorf("banned %v, log %s", b.Banned(thief), text.String())
		}
	})
}

func BenchmarkDeafWithTwoThousandBans(b *testing.B) {
	x := made(b)
	for i := range maxSources {
		x.Scanned(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
	}
	b.ReportAllocs()
	for b.Loop() {
		if x.Deaf(on(owner)) {
			b.Fatal("the owner is banned")
		}
	}
}
