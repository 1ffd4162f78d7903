package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func plugged(t *testing.T) (*Bus, *Port, serialport.Stream) {
	t.Helper()
	b := &Bus{}
	p := b.Plug("modem0")
	s, err := b.OpenAudio("modem0")
	if err != nil {
		t.Fatal(err)
	}
	return b, p, s
}

func TestBytesPassBothWays(t *testing.T) {
	_, p, s := plugged(t)
	buf := make([]byte, 8)
	for _, way := range [][2]io.ReadWriter{{p, s}, {s, p}} {
		if _, err := way[0].Write([]byte("AT\r")); err != nil {
			t.Fatal(err)
		}
		if n, err := way[1].Read(buf); err != nil || string(buf[:n]) != "AT\r" {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
}

func TestPortHasOneOpenerAtATime(t *testing.T) {
	b, _, s := plugged(t)
	if _, err := b.OpenCommand("modem0"); !errors.Is(err, serialport.ErrInUse) {
		t.Errorf("a second opener: %v", err)
	}
	if _, err := b.OpenCommand("modem1"); !errors.Is(err, serialport.ErrMissing) {
		t.Errorf("no such port: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.OpenCommand("modem0"); err != nil {
		t.Errorf("after the close: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, serialport.ErrClosed) {
		t.Errorf("the closed end writes: %v", err)
	}
}

func TestNextOpenerReadsNothingOfTheLastOne(t *testing.T) {
	b, p, s := plugged(t)
	_, _ = p.Write([]byte("old"))
	_ = s.Close()
	next, err := b.OpenAudio("modem0")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = p.Write([]byte("new"))
	buf := make([]byte, 8)
	if n, err := next.Read(buf); err != nil || string(buf[:n]) != "new" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

func TestFullPortMakesTheWriterWaitUntilItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, s := plugged(t)
		start := time.Now()
		_ = s.SetWriteDeadline(start.Add(20 * time.Millisecond))
		n, err := s.Write(make([]byte, Room+1))
		if n != Room || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 20*time.Millisecond {
			t.Errorf("%d bytes, %v, after %v", n, err, time.Since(start))
		}
	})
}

func TestFullPortLetsTheWriterGoOnWhenSomebodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, s := plugged(t)
		sent := bytes.Repeat([]byte("0123456789"), 1000)
		go func() { _, _ = s.Write(sent) }()
		var got []byte
		for buf := make([]byte, 777); len(got) < len(sent); {
			n, err := p.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
		}
		if !bytes.Equal(got, sent) {
			t.Error("bytes were lost or changed places")
		}
		synctest.Wait()
	})
}

func TestReadWaitsUntilItsDeadlineAlsoWhenThatIsSetLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, s := plugged(t)
		start := time.Now()
		go func() {
			time.Sleep(time.Second)
			_ = s.SetReadDeadline(time.Now())
		}()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestUnplugEndsReadsAndWritesAndTakesTheNameAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, s := plugged(t)
		go func() {
			time.Sleep(time.Second)
			_ = p.Close()
		}()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("read: %v", err)
		}
		if _, err := s.Write([]byte("x")); err == nil {
			t.Error("a write to a port that is gone succeeded")
		}
		if _, err := b.OpenAudio("modem0"); !errors.Is(err, serialport.ErrMissing) {
			t.Errorf("open: %v", err)
		}
	})
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, s := plugged(t)
		go func() {
			time.Sleep(time.Second)
			_ = s.Close()
			_, _ = b.OpenAudio("modem0") // the next opener's bytes are not the last one's
		}()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, serialport.ErrClosed) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestReplugKeepsTheOldEndDead(t *testing.T) {
	b, p, s := plugged(t)
	b.Plug("modem0")
	_ = p.Close() // the old device goes later; the new name stays
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("old end: %v", err)
	}
	if _, err := b.OpenCommand("modem0"); err != nil {
		t.Errorf("new end: %v", err)
	}
}
