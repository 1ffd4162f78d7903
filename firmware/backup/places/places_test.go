package places

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"
	"golang.org/x/net/webdav"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers are the kinds of places, each with the program that judges it, and how its address is spoiled.
var servers = map[string]func(t *testing.T) config.Backup{
	"a folder": func(t *testing.T) config.Backup { return config.Backup{To: t.TempDir()} },
	"WebDAV of x/net": func(t *testing.T) config.Backup {
		files := &webdav.Handler{FileSystem: webdav.Dir(t.TempDir()), LockSystem: webdav.NewMemLS()}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if u, p, ok := r.BasicAuth(); !ok || u != "box" || p != "secret" {
				w.Header().Set("WWW-Authenticate", `Basic realm="nas"`)
				http.Error(w, "who?", http.StatusUnauthorized)
				return
			}
			files.ServeHTTP(w, r)
		}))
		t.Cleanup(s.Close)
		return config.Backup{To: s.URL, User: "box", Password: "secret"}
	},
	"a share of Samba": samba,
	"an S3 store of gofakes3": func(t *testing.T) config.Backup {
		kept := s3mem.New()
		s := httptest.NewServer(gofakes3.New(kept, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
		t.Cleanup(s.Close)
		if err := kept.CreateBucket("shop"); err != nil {
			t.Fatal(err)
		}
		return config.Backup{To: "s3+" + s.URL + "/shop/backups", User: "box", Password: "secret", Region: "eu-south-1"}
	},
}

// broken gives some bytes and then fails, as a backup does that is given up.
type broken struct{ left int }

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errors.New("the disk is gone")
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func TestEveryPlaceKeepsWholeBackupsAndNothingElse(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	first, second := backup.Name("Bar", at), backup.Name("Bar", at.AddDate(0, 0, 1))
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			c, spool := serve(t), t.TempDir()
			p, err := Open(c, spool)
			if err != nil {
				t.Fatal(err)
			}
			body := bytes.Repeat([]byte("a backup of three megabytes "), 3<<20/28)
			for _, n := range []string{first, second} {
				if err := p.Put(t.Context(), n, bytes.NewReader(body)); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Put(t.Context(), backup.Name("Bar", at.AddDate(0, 0, 2)), &broken{1 << 20}); err == nil {
				t.Error("half a backup was taken")
			}
			names, err := p.List(t.Context())
			slices.Sort(names)
			if err != nil || !slices.Equal(names, []string{first, second}) {
				t.Errorf("%v, %v", names, err)
			}
			f, err := p.Get(t.Context(), second)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(f)
			if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes come back, %v", len(got), err)
			}
			if f, err = p.Get(t.Context(), first); err == nil { // and one that is not read to its end
				_, err = io.ReadFull(f, make([]byte, 10))
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				t.Error(err)
			}
			if err := p.Delete(t.Context(), first); err != nil {
				t.Error(err)
			}
			if names, err := p.List(t.Context()); err != nil || !slices.Equal(names, []string{second}) {
				t.Errorf("after one was removed: %v, %v", names, err)
			}
			if f, err := p.Get(t.Context(), first); err == nil {
				_, err = io.ReadAll(f) // S3 says so at the first byte
				_ = f.Close()
				if err == nil {
					t.Error("what was removed can be read")
				}
			}
			if left, err := os.ReadDir(spool); err != nil || len(left) > 0 {
				t.Errorf("left on the card: %v, %v", left, err)
			}
		})
	}
}

func TestAWrongPasswordOrAServerThatIsAwayIsSaidSo(t *testing.T) {
	at := backup.Name("Bar", time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC))
	for _, name := range []string{"WebDAV of x/net"} {
		t.Run(name, func(t *testing.T) {
			c := servers[name](t)
			c.Password = "wrong"
			p, err := Open(c, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Put(t.Context(), at, strings.NewReader("x")); err == nil {
				t.Error("taken with a wrong password")
			}
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	_ = l.Close()
	for _, to := range []string{"http://" + nobody + "/x", "smb://" + nobody + "/x", "s3+http://" + nobody + "/x"} {
		p, err := Open(config.Backup{To: to}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := p.Put(ctx, at, strings.NewReader("x")); err == nil {
			t.Errorf("%s: nobody has taken it", to)
		}
		cancel()
	}
	for _, to := range []string{"ftp://nas/x", "smb://nas", "s3://s3.test", "nas/x"} {
		if _, err := Open(config.Backup{To: to}, t.TempDir()); err == nil {
			t.Errorf("%s is a place", to)
		}
	}
}

// The whole way: a backup of a box goes to a NAS and is read back from there.
func TestABackupGoesToANASAndIsReadBack(t *testing.T) {
	c := servers["WebDAV of x/net"](t)
	s := backup.Source{Dir: t.TempDir(), Config: filepath.Join(t.TempDir(), "pronto.yaml")}
	text := fmt.Sprintf("box: {name: Bar}\nbackup: {to: %q, user: box, password: secret}\n", c.To)
	if err := os.WriteFile(s.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.NewKit(s, time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		backup.NewNightly(s, "test", slog.New(slog.DiscardHandler), func(c config.Backup) (backup.Place, error) { return Open(c, s.Dir) }).Run(ctx)
	}()
	defer func() { cancel(); <-done }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		st, err := backup.ReadStatus(s)
		if err != nil || st.Failed != "" || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", st, err)
		}
		if !st.Made.IsZero() {
			break
		}
	}
}

func TestTheStickOfTheBoxIsAPlaceOfItsOwn(t *testing.T) {
	for to, want := range map[string]backup.Place{
		"/media/stick": backup.Stick{At: "/media/stick"}, "/media/stick/pronto/": backup.Stick{At: "/media/stick", Folder: "pronto/"},
		"/sticks": backup.Folder("/sticks"), "/media/usb": backup.Folder("/media/usb"),
	} {
		if got, err := Open(config.Backup{To: to}, t.TempDir()); err != nil || got != want {
			t.Errorf("%s: %#v, %v", to, got, err)
		}
	}
}
