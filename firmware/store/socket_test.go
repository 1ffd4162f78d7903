package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/memory"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
	"go.uber.org/goleak"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keeperAt serves records on path until the returned function is called.
func keeperAt(t *testing.T, path string, records store.Records) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := store.Serve(ctx, l, records, quiet); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(stop)
	return stop
}

func client(t *testing.T, path string) *store.Client {
	c := store.NewClient(path)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestTheSocketKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Records {
		path := filepath.Join(t.TempDir(), "s")
		keeperAt(t, path, &memory.Store{})
		return client(t, path)
	})
}

func TestAClientFindsTheKeeperAgainAfterItsRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	records := &memory.Store{}
	stop := keeperAt(t, path, records)
	c := client(t, path)
	if err := c.PutCalls(t.Context(), storetest.Call(1)); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := c.Status(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("without a keeper: %v", err)
	}
	stop = keeperAt(t, path, records)
	if n, err := c.CountCalls(t.Context(), store.CallQuery{}); err != nil || n != 1 {
		t.Fatalf("after its restart: %d, %v", n, err)
	}
	stop()
	keeperAt(t, path, records)
	if n, err := c.CountCalls(t.Context(), store.CallQuery{}); err != nil || n != 1 {
		t.Fatalf("over a connection that died unnoticed: %d, %v", n, err)
	}
}

// stuck never answers.
type stuck struct{ memory.Store }

func (*stuck) Status(ctx context.Context) (store.Status, error) {
	<-ctx.Done()
	return store.Status{}, ctx.Err()
}

func TestAClientWaitsNoLongerThanItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	keeperAt(t, path, &stuck{})
	c := client(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	var all sync.WaitGroup
	for range 3 { // those who wait for their turn as well
		all.Go(func() {
			if _, err := c.Status(ctx); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if n, err := c.CountCalls(t.Context(), store.CallQuery{}); err != nil || n != 0 {
		t.Errorf("the next question: %d, %v", n, err)
	}
}

// broken panics, as a bug would.
type broken struct{ memory.Store }

func (*broken) Status(context.Context) (store.Status, error) { panic("a bug") }

func TestNothingAPeerSendsEndsTheKeeper(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	keeperAt(t, path, &broken{})
	huge := binary.BigEndian.AppendUint32(nil, 1<<31)
	frame := func(s string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
	}
	for name, sent := range map[string]string{
		"nothing":                   "",
		"half a length":             "\x00\x00",
		"a huge length":             string(huge),
		"a cut frame":               frame(`{"v":1}`)[:7],
		"no JSON":                   frame("hello"),
		"deep JSON":                 frame(strings.Repeat("[", 100000)),
		"a request that panics":     frame(`{"v":1,"id":1,"op":"status"}`),
		"a body of the wrong shape": frame(`{"v":1,"id":1,"op":"calls.list","body":[1]}`),
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, sent)
		_ = conn.(*net.UnixConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(15 * time.Second))
		if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: connection left open: %v", name, err)
		}
		_ = conn.Close()
	}
	c := client(t, path)
	if n, err := c.CountCalls(t.Context(), store.CallQuery{}); err != nil || n != 0 {
		t.Fatalf("afterwards: %d, %v", n, err)
	}
}

func TestAnUnknownVersionOrRequestIsAnsweredInWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	keeperAt(t, path, &memory.Store{})
	for sent, want := range map[string]string{
		`{"v":9,"id":4,"op":"status"}`: `{"v":1,"id":4,"code":"version","text":"request has version 9, this keeper speaks 1"}`,
		`{"v":1,"id":5,"op":"drop"}`:   `{"v":1,"id":5,"code":"bad_query","text":"store: the query makes no sense: unknown request \"drop\""}`,
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sent))), sent...))
		_ = conn.(*net.UnixConn).CloseWrite()
		got, err := io.ReadAll(conn)
		if err != nil || len(got) < 4 || string(got[4:]) != want {
			t.Errorf("sent %s\ngot  %s %v\nwant %s", sent, got, err, want)
		}
		_ = conn.Close()
	}
}

func TestARequestThatIsTooLargeIsRefusedBeforeItIsSent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	keeperAt(t, path, &memory.Store{})
	c := client(t, path)
	call := storetest.Call(1)
	call.In = strings.Repeat("x", 2<<20)
	if err := c.PutCalls(t.Context(), call); !errors.Is(err, store.ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
	if err := c.PutCalls(t.Context(), storetest.Call(1)); err != nil {
		t.Fatal(err)
	}
}

func TestTheJournalIsTrimmedOnlyBelowWhatIsStoredAndBackedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.Status{Journal: 7}
		var mu sync.Mutex // the race detector does not know that fake time orders these
		var asked error
		var got []string
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			store.Trim(ctx, 7, time.Minute,
				func(context.Context) (store.Status, error) { mu.Lock(); defer mu.Unlock(); return st, asked },
				func(p store.Position) error {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, fmt.Sprint(p))
					return nil
				}, quiet)
		}()
		step := func(next store.Status, err error) {
			time.Sleep(30 * time.Second)
			mu.Lock()
			st, asked = next, err
			mu.Unlock()
			time.Sleep(30 * time.Second)
			synctest.Wait()
		}
		step(store.Status{Journal: 7, Committed: 50}, nil)                  // no backup yet
		step(store.Status{Journal: 7, Committed: 50, BackedUp: 40}, nil)    // 41
		step(store.Status{Journal: 7, Committed: 60, BackedUp: 40}, nil)    // nothing new
		step(store.Status{Journal: 8, Committed: 90, BackedUp: 90}, nil)    // another journal
		step(store.Status{Journal: 7, Committed: 95, BackedUp: 95}, io.EOF) // the keeper is away
		step(store.Status{Journal: 7, Committed: 70, BackedUp: 80}, nil)    // 71
		cancel()
		<-done
		if want := "41 71"; strings.Join(got, " ") != want {
			t.Errorf("trimmed below %v, want %s", got, want)
		}
	})
}
