package registrar

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestTooManyRegistersFromOneSourceGet503AndOthersAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, func(c *Config) { c.RegisterRate, c.RegisterBurst = 10, 20 })
		p, other := newPhone("201"), newPhone("202")
		other.flow = udpFlow("192.168.1.51:5060")
		for range 20 {
			want(t, p.ask(t, b), 401)
		}
		if res := want(t, p.ask(t, b), 503); res.GetHeader("Retry-After").Value() != "5" {
			t.Errorf("%s", res)
		}
		want(t, other.register(t, b), 200)
		time.Sleep(time.Second)
		for range 10 {
			want(t, p.ask(t, b), 401)
		}
		want(t, p.ask(t, b), 503)
		if c := b.Counters(); c.Shed != 2 {
			t.Errorf("%+v", c)
		}
	})
}

func TestRatesRememberBoundedlyManySources(t *testing.T) {
	r, now := newRates(1, 2), time.Now()
	for i := range 3 * maxRated {
		r.allow(addr(i), now)
	}
	if len(r.buckets) != maxRated {
		t.Errorf("%d sources", len(r.buckets))
	}
	if r.allow(addr(-1), now) {
		t.Error("newcomers in a flood from everywhere are not slowed together")
	}
	now = now.Add(3 * time.Second)
	if !r.allow(addr(-1), now) || len(r.buckets) != 1 {
		t.Errorf("%d are left of the flood", len(r.buckets))
	}
}

func TestABoxFullOfBindingsTakesRefreshesOnly(t *testing.T) {
	users := map[string]Account{}
	for i := range 5 {
		user := fmt.Sprint(300 + i)
		users[user] = Account{Device: tel.DeviceID(user), HA1: ha1(user, "secret-"+user)}
	}
	b := newBox(t, func(c *Config) {
		c.MaxBindings = 3
		c.Accounts = func(user string) (Account, bool) { a, ok := users[user]; return a, ok }
	})
	phones := make([]*phone, 5)
	for i := range phones {
		phones[i] = newPhone(fmt.Sprint(300 + i))
		status := 200
		if i >= 3 {
			status = 503
		}
		want(t, phones[i].register(t, b), status)
	}
	want(t, phones[0].register(t, b), 200)
	b.Forget("301")
	want(t, phones[4].register(t, b), 200)
	want(t, phones[3].register(t, b), 503)
}
