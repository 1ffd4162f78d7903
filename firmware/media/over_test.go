package media

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// noted is so many frames of a tone.
type noted struct {
	hz     float64
	frames int
}

func (n noted) Frames(id codec.ID) (all [][]byte) {
	enc, tone := codec.NewEncoder(id), wave{hz: n.hz}
	for range n.frames {
		f := tone.frame()
		b := make([]byte, id.PayloadBytes(20))
		enc.Encode(b, f[:])
		all = append(all, b)
	}
	return all
}

// levels are those of the music and the words in a stretch of what was heard.
func levels(pcm []int16, from, to int) (music, words float64) {
	part := pcm[from*frameSamples : to*frameSamples]
	return dsp.ToneLevel(part, 700), dsp.ToneLevel(part, 1300)
}

// softly fails unless words of 1,300 Hz were said in the frames 20 to 50 over music of 700 Hz, which was
// softer then and as loud as before afterwards.
func softly(t *testing.T, who string, pcm []int16) {
	t.Helper()
	if len(pcm) < 75*frameSamples {
		t.Fatalf("%s heard %d frames", who, len(pcm)/frameSamples)
	}
	loud, quiet := levels(pcm, 4, 18)
	soft, spoken := levels(pcm, 34, 48)
	again, after := levels(pcm, 64, 75)
	if spoken < -20 || spoken-quiet < 30 || spoken-after < 30 {
		t.Errorf("%s hears the words at %.1f, %.1f, %.1f dBm0 before, during and after", who, quiet, spoken, after)
	}
	if down := loud - soft; down < 12 || down > 16 || again < loud-0.5 {
		t.Errorf("%s hears the music at %.1f, %.1f, %.1f dBm0 before, during and after", who, loud, soft, again)
	}
}

func TestWordsAreSaidOverMusicThatGoesOnSoftly(t *testing.T) {
	for i, id := range []codec.ID{codec.PCMU, codec.PCMA, codec.G722} {
		t.Run(fmt.Sprint(id), func(t *testing.T) {
			e := startEngine(t, 23150+10*i, 23159+10*i, nil)
			m := pcmu
			m.Codec = id
			if id == codec.PCMA {
				m.SendPT, m.RecvPT = 8, 8
			} else if id == codec.G722 {
				m.SendPT, m.RecvPT = 9, 9
			}
			a := join(t, e, "127.0.0.33", m, nil)
			clock := byHand(t, a.leg)
			if err := a.leg.Play([]Sound{noted{700, 600}}, true, nil); err != nil {
				t.Fatal(err)
			}
			clock.tick(20)
			done := make(chan struct{})
			if err := a.leg.Say([]Sound{noted{1300, 10}, noted{1300, 20}}, func() { close(done) }); err != nil {
				t.Fatal(err)
			}
			clock.tick(55)
			select {
			case <-done:
			case <-time.After(15 * time.Second):
				t.Fatal("nobody is told that the words are over")
			}
			softly(t, "the caller", a.pcm(id))
		})
	}
}

func TestALineHearsWordsOverMusic(t *testing.T) {
	e := startEngine(t, 23180, 23183, nil)
	modem := &lineFake{mute: true}
	leg, err := e.Open(LegConfig{Line: modem})
	if err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, leg)
	if err := leg.Play([]Sound{noted{700, 600}}, true, nil); err != nil {
		t.Fatal(err)
	}
	clock.do(func(*loop) { modem.heard = nil })
	clock.tick(20)
	if err := leg.Say([]Sound{noted{1300, 30}}, nil); err != nil {
		t.Fatal(err)
	}
	clock.tick(56)
	var heard []int16
	clock.do(func(*loop) { heard = slices.Clone(modem.heard) })
	softly(t, "the line", heard)
}

func TestWordsWithoutMusicAreSimplyPlayed(t *testing.T) {
	e := startEngine(t, 23190, 23193, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	clock := byHand(t, a.leg)
	done := make(chan struct{})
	if err := a.leg.Say([]Sound{noted{1300, 30}}, func() { close(done) }); err != nil {
		t.Fatal(err)
	}
	clock.tick(32)
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		t.Fatal("nobody is told that the words are over")
	}
	clean(t, "the caller", a.pcm(codec.PCMU), 1300, 700)
}

func TestStopCutsTheWordsAndTheMusicAtOnce(t *testing.T) {
	e := startEngine(t, 23194, 23197, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	clock := byHand(t, a.leg)
	if err := a.leg.Play([]Sound{noted{700, 600}}, true, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.leg.Say([]Sound{noted{1300, 600}}, func() { t.Error("cut words ended by themselves") }); err != nil {
		t.Fatal(err)
	}
	clock.tick(10)
	if err := a.leg.Stop(); err != nil {
		t.Fatal(err)
	}
	clock.tick(10)
	if n := len(a.pcm(codec.PCMU)); n != 10*frameSamples {
		t.Errorf("%d samples were heard, want those of 10 ticks", n)
	}
}

func TestWordsOverMusicAllocateNothing(t *testing.T) {
	e := startEngine(t, 23200, 23203, func(c *Config) { c.Loops = 1 })
	a := join(t, e, "127.0.0.33", pcmu, nil)
	if err := a.leg.Play([]Sound{noted{700, 600}}, true, nil); err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, a.leg)
	if err := a.leg.Say([]Sound{noted{1300, 20000}}, nil); err != nil {
		t.Fatal(err)
	}
	clock.tick(2)
	var per float64
	clock.do(func(l *loop) {
		per = testing.AllocsPerRun(500, func() {
			l.now = l.clock.beat + tick
			l.tick(1)
		})
	})
	if per > 0 && !raced {
		t.Errorf("%v allocations per tick", per)
	}
}
