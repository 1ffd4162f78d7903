package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var phone = netip.MustParseAddrPort("192.0.2.20:4000")

// sound is a packet of 20 ms of A-law with a number of its own in it.
func sound(r *Ring, at time.Duration, number uint32) *Packet {
	b := make([]byte, 172)
	b[0] = 2 << 6
	for i := 12; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], number)
	}
	return &Packet{At: r.origin.Add(at), LocalPort: 16384, Remote: phone, Codec: codec.PCMA, Start: 12, End: len(b), Bytes: b}
}

func silent(p Packet) bool {
	return !slices.ContainsFunc(p.Bytes[p.Start:p.End], func(b byte) bool { return b != 0xd5 })
}

func TestNothingIsKeptWithoutAPermissionOrAfterIt(t *testing.T) {
	r := New(Limits{})
	c := r.Call("c1")
	c.Keep(sound(r, time.Second, 1))
	if n, size := r.Size(); n != 0 || size != 0 || r.made || len(r.Packets("c1")) != 0 {
		t.Fatalf("without a permission: %d calls, %d bytes", n, size)
	}
	r.Permit(r.origin.Add(time.Minute))
	c.Keep(sound(r, time.Minute-1, 2))
	c.Keep(sound(r, time.Minute, 3))
	c.Keep(sound(r, time.Hour, 4))
	r.Stop()
	c.Keep(sound(r, 2*time.Second, 5))
	got := r.Packets("c1")
	if len(got) != 1 || binary.BigEndian.Uint32(got[0].Bytes[12:]) != 2 {
		t.Errorf("%d packets are kept", len(got))
	}
	if all := r.Calls(); len(all) != 1 || all[0].Packets != 1 || all[0].Lost != 0 || !all[0].From.Equal(r.origin.Add(time.Minute-1)) {
		t.Errorf("%+v", all)
	}
}

func TestAPacketIsReadAsItWasKept(t *testing.T) {
	r := New(Limits{})
	r.Permit(r.origin.Add(time.Hour))
	c := r.Call("c1")
	report := Packet{
		At: r.origin.Add(3 * time.Second), Out: true, Control: true, Secured: true, LocalPort: 16385,
		Remote: netip.MustParseAddrPort("[2001:db8::2]:4001"), Bytes: []byte{0x80, 201, 0, 1, 1, 2, 3, 4},
	}
	plain := *sound(r, time.Second, 7)
	for _, p := range []Packet{report, plain} {
		c.Keep(&p)
	}
	got := r.Packets("c1")
	if len(got) != 2 || fmt.Sprint(got[0]) != fmt.Sprint(plain) || fmt.Sprint(got[1]) != fmt.Sprint(report) {
		t.Errorf("\n got %+v\nwant %+v", got, []Packet{plain, report})
	}
	for _, p := range []*Packet{
		{At: plain.At, Bytes: make([]byte, longest+1)},
		{At: plain.At, Bytes: make([]byte, 10), Start: 4, End: 11},
		{At: plain.At, Bytes: make([]byte, 10), Start: 7, End: 4},
		{At: plain.At, Bytes: make([]byte, 10), Start: -1, End: 4},
	} {
		c.Keep(p)
	}
	if n := len(r.Packets("c1")); n != 2 {
		t.Errorf("what is no packet was kept: %d", n)
	}
}

func TestALongCallPushesItselfOutAndNotTheOthers(t *testing.T) {
	r := New(Limits{Bytes: 16 * chunkSize, PerCall: 4 * chunkSize})
	r.Permit(r.origin.Add(time.Hour))
	short, long := r.Call("short"), r.Call("long")
	short.Keep(sound(r, 0, 1))
	for i := range 5000 {
		long.Keep(sound(r, time.Duration(i)*20*time.Millisecond, uint32(i)))
		if _, size := r.Size(); size > 5*chunkSize {
			t.Fatalf("%d bytes", size)
		}
	}
	got := r.Packets("long")
	if len(r.Packets("short")) != 1 || len(got) == 0 || len(got) > 4*chunkSize/212 {
		t.Fatalf("%d of the short, %d of the long", len(r.Packets("short")), len(got))
	}
	for i, p := range got { // the newest, without a hole
		if n := binary.BigEndian.Uint32(p.Bytes[12:]); int(n) != 5000-len(got)+i {
			t.Fatalf("packet %d is number %d", i, n)
		}
	}
	for _, k := range r.Calls() {
		if k.Call == "long" && k.Lost+k.Packets != 5000 {
			t.Errorf("%+v", k)
		}
	}
}

func TestTheOldestPacketsLeaveFirst(t *testing.T) {
	r := New(Limits{Bytes: 4 * chunkSize, PerCall: 2 * chunkSize})
	r.Permit(r.origin.Add(time.Hour))
	for i := range 1000 { // calls one behind the other
		c := r.Call(tel.CallID(fmt.Sprint(i)))
		for j := range 40 {
			c.Keep(sound(r, time.Duration(i)*time.Minute/100+time.Duration(j)*time.Millisecond, uint32(i)))
		}
		c.End()
	}
	all := r.Calls()
	if len(all) == 0 || all[0].Call != "999" || len(r.calls) != len(all) {
		t.Fatalf("%d calls are listed, %d remembered: %+v", len(all), len(r.calls), all)
	}
	for i, k := range all {
		if k.Call != tel.CallID(fmt.Sprint(999-i)) {
			t.Errorf("place %d: %s", i, k.Call)
		}
	}
}

func TestWhatWasPressedIsCovered(t *testing.T) {
	r := New(Limits{})
	r.Permit(r.origin.Add(time.Hour))
	c := r.Call("c1")
	for i := range 100 { // two seconds
		c.Keep(sound(r, time.Duration(i)*20*time.Millisecond, 0x11111111))
	}
	event := Packet{At: r.origin.Add(time.Second), Codec: codec.TelephoneEvent, Start: 12, End: 17, Bytes: append(make([]byte, 12), 5, 0x8a, 3, 0x20, 5)}
	c.Keep(&event)
	c.Cover(r.origin.Add(700*time.Millisecond), r.origin.Add(2100*time.Millisecond))
	c.Keep(sound(r, 2050*time.Millisecond, 0x11111111))
	c.Keep(sound(r, 2100*time.Millisecond, 0x11111111))
	c.Pause(true)
	c.Keep(sound(r, 2200*time.Millisecond, 0x11111111))
	c.Keep(&Packet{At: r.origin.Add(2200 * time.Millisecond), Control: true, Bytes: []byte{0x80, 201, 0, 1, 1, 2, 3, 4}})
	c.Pause(false)
	c.Keep(sound(r, 2300*time.Millisecond, 0x11111111))
	unknown := sound(r, 2400*time.Millisecond, 0x22222222)
	unknown.Covered = Unknown
	c.Keep(unknown)
	events := 0
	for _, p := range r.Packets("c1") {
		at := p.At.Sub(r.origin)
		want := Whole
		switch {
		case p.Control:
			if !bytes.Equal(p.Bytes, []byte{0x80, 201, 0, 1, 1, 2, 3, 4}) {
				t.Errorf("a report: %x", p.Bytes)
			}
		case p.Codec == codec.TelephoneEvent:
			want = Key
			events++
			if !bytes.Equal(p.Bytes[12:], []byte{0xff, 0x8a, 3, 0x20, 0}) {
				t.Errorf("an event: %x", p.Bytes[12:])
			}
		case at >= 700*time.Millisecond && at < 2100*time.Millisecond:
			want = Key
		case at == 2200*time.Millisecond:
			want = Paused
		case at == 2400*time.Millisecond:
			want = Unknown
		}
		if sounds := !p.Control && p.Codec == codec.PCMA; p.Covered != want || sounds && silent(p) != (want != Whole) || len(p.Bytes) == 172 && binary.BigEndian.Uint32(p.Bytes[8:]) != 0 {
			t.Errorf("%v: %q, silent %v", at, p.Covered, silent(p))
		}
	}
	if events != 1 {
		t.Errorf("%d events", events)
	}
}

func TestTheSilenceThatCoversIsOfItsCodec(t *testing.T) {
	r := New(Limits{})
	r.Permit(r.origin.Add(time.Hour))
	c := r.Call("c1")
	for _, id := range []codec.ID{codec.PCMU, codec.PCMA, codec.G722} {
		p := sound(r, time.Second, 0x12345678)
		p.Codec, p.Covered = id, Key
		c.Keep(p)
	}
	for _, p := range r.Packets("c1") {
		pcm := make([]int16, 160)
		codec.NewDecoder(p.Codec).Decode(pcm, p.Bytes[p.Start:p.End])
		for _, s := range pcm {
			if s > 32 || s < -32 {
				t.Fatalf("%s: a sample of %d", p.Codec, s)
			}
		}
	}
}

func TestWhoIsForgottenIsGoneAndStaysGone(t *testing.T) {
	r := New(Limits{Bytes: 8 * chunkSize})
	r.Permit(r.origin.Add(time.Hour))
	a, b := r.Call("a"), r.Call("b")
	for i := range 300 {
		a.Keep(sound(r, time.Duration(i), 0xabababab))
		b.Keep(sound(r, time.Duration(i), 2))
	}
	if n := r.Forget(func(id tel.CallID) bool { return id == "a" }); n != 1 {
		t.Errorf("%d calls were forgotten", n)
	}
	a.Keep(sound(r, time.Second, 0xabababab))
	if len(r.Packets("a")) != 0 || len(r.Packets("b")) == 0 {
		t.Error("the wrong one is forgotten")
	}
	for x := r.free; x != nil; x = x.next[ofAge] {
		if bytes.Contains(x.b, []byte{0xab, 0xab, 0xab}) {
			t.Fatal("what was said still lies in the memory")
		}
	}
	r.Stop()
	if n := r.Forget(func(tel.CallID) bool { return true }); n != 1 || r.made {
		t.Errorf("%d were forgotten; the memory is kept: %v", n, r.made)
	}
	r.Permit(r.origin.Add(time.Hour))
	r.Call("c").Keep(sound(r, time.Second, 1))
	if len(r.Packets("c")) != 1 {
		t.Error("a later permission keeps nothing")
	}
}

// Whatever comes in whatever order, the bounds hold, nothing is kept that no permission covers, what is covered stays
// so, and what is kept of a call are its newest packets, as they were.
func FuzzTheRingKeepsItsBounds(f *testing.F) {
	f.Add([]byte{0, 60, 1, 0, 1, 1, 1, 2, 3, 1, 1, 0, 2, 0, 1, 0, 5, 0, 4, 1, 1, 0})
	f.Add(bytes.Repeat([]byte{0, 255, 1, 0, 1, 200, 1, 1, 1, 2}, 100))
	f.Fuzz(func(t *testing.T, ops []byte) {
		const total, per = 6 * chunkSize, 2 * chunkSize
		r := New(Limits{Bytes: total, PerCall: per})
		type mark struct {
			at      time.Duration
			covered bool
		}
		accepted := map[tel.CallID][]mark{}
		var until, now time.Duration
		open, gone, hush := false, map[tel.CallID]bool{}, map[tel.CallID]time.Duration{}
		ids := []tel.CallID{"a", "b", "c", "d", "e"}
		ops = ops[:min(len(ops), 200)]
		for len(ops) >= 2 {
			op, arg := ops[0], ops[1]
			ops = ops[2:]
			id := ids[int(arg)%len(ids)]
			switch op % 8 {
			case 0:
				open, until = true, now+time.Duration(arg)*time.Second
				r.Permit(r.origin.Add(until))
			case 1, 2, 3:
				for range 40 {
					now += time.Millisecond
					p := sound(r, now, uint32(now))
					r.Call(id).Keep(p)
					if open && now < until && !gone[id] {
						accepted[id] = append(accepted[id], mark{now, now < hush[id]})
					}
				}
			case 4:
				from, to := now-20*time.Millisecond, now+20*time.Millisecond
				hush[id] = to
				r.Call(id).Cover(r.origin.Add(from), r.origin.Add(to))
				for i, m := range accepted[id] {
					accepted[id][i].covered = m.covered || m.at >= from && m.at < to
				}
			case 5:
				open = false
				r.Stop()
			case 6:
				r.Forget(func(x tel.CallID) bool { return x == id })
				if r.calls[id] != nil {
					gone[id] = true
				}
				delete(accepted, id)
			case 7:
				now += time.Duration(arg) * 100 * time.Millisecond
			}
			if _, size := r.Size(); size > total {
				t.Fatalf("%d bytes", size)
			}
			if len(ops)%16 >= 2 {
				continue
			}
			for _, id := range ids {
				got, want := r.Packets(id), accepted[id]
				if len(got) > len(want) || len(got)*212 > per {
					t.Fatalf("%s: %d packets of %d", id, len(got), len(want))
				}
				want = want[len(want)-len(got):]
				for i, p := range got {
					at := p.At.Sub(r.origin)
					if at != want[i].at || want[i].covered != (p.Covered == Key) || want[i].covered != silent(p) {
						t.Fatalf("%s: packet %d at %v, covered %q; want %+v", id, i, at, p.Covered, want[i])
					}
				}
			}
		}
	})
}

func TestManyLoopsMayKeepAtOnce(t *testing.T) {
	r := New(Limits{Bytes: 32 * chunkSize})
	r.Permit(r.origin.Add(time.Hour))
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			c := r.Call(tel.CallID(fmt.Sprint(n % 2)))
			for i := range 2000 {
				c.Keep(sound(r, time.Duration(i)*time.Millisecond, uint32(n)))
				if i%100 == 0 {
					c.Cover(r.origin, r.origin.Add(time.Duration(i)))
					r.Calls()
					r.Packets("0")
				}
			}
		})
	}
	wg.Wait()
	for _, k := range r.Calls() {
		if k.Packets+k.Lost != 4000 {
			t.Errorf("%+v", k)
		}
	}
}

func TestKeepingAllocatesNothing(t *testing.T) {
	r := New(Limits{Bytes: 8 * chunkSize})
	r.Permit(r.origin.Add(time.Hour))
	c, p := r.Call("c1"), sound(r, time.Second, 1)
	if n := testing.AllocsPerRun(5000, func() { c.Keep(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkKeep(b *testing.B) {
	r := New(Limits{})
	r.Permit(r.origin.Add(time.Hour))
	c, p := r.Call("c1"), sound(r, time.Second, 1)
	b.ReportAllocs()
	for b.Loop() {
		c.Keep(p)
	}
}
