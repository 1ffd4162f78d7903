package places

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// samba is a file server of Samba on a port of this machine, with one share and its user.
func samba(t *testing.T) config.Backup {
	t.Helper()
	me, err := user.Current()
	if err == nil {
		_, err = exec.LookPath("smbd")
	}
	if err != nil || me.Uid != "0" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("smbd: %v; with CI=true this test may not be left out", err)
		}
		t.Skipf("left out: smbd must be installed, and the test be root's (%v)", err)
	}
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	var text strings.Builder
	fmt.Fprintf(&text, "[global]\nserver role = standalone server\nsmb ports = %d\ninterfaces = 127.0.0.1/8\nbind interfaces only = yes\ndisable netbios = yes\n"+
		"server min protocol = SMB2\nload printers = no\nprinting = bsd\ndisable spoolss = yes\nlog file = %s/log\n", at.Port, dir)
	for _, of := range []string{"private", "lock", "state", "cache", "pid", "ncalrpc"} {
		name := of + " dir"
		if of == "lock" || of == "state" || of == "cache" || of == "pid" {
			name = of + " directory"
		}
		if err := os.Mkdir(filepath.Join(dir, of), 0o700); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s = %s\n", name, filepath.Join(dir, of))
	}
	share := filepath.Join(dir, "share")
	if err := os.MkdirAll(filepath.Join(share, "centralino"), 0o700); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&text, "[copie]\npath = %s\nread only = no\n", share)
	conf := filepath.Join(dir, "smb.conf")
	if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	add := exec.Command("smbpasswd", "-c", conf, "-a", "-s", me.Username)
	add.Stdin = strings.NewReader("secret\nsecret\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var said bytes.Buffer
	server := exec.Command("smbd", "--foreground", "--no-process-group", "--debug-stdout", "-s", conf)
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", at.String())
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("smbd does not answer: %v", err)
		}
	}
	return config.Backup{To: "smb://" + at.String() + "/copie/centralino", User: me.Username, Password: "secret"}
}

func TestAFileServerSaysWhyItTakesNothing(t *testing.T) {
	good := samba(t)
	name := backup.Name("Bar", time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC))
	for what, c := range map[string]config.Backup{
		"a wrong password": {To: good.To, User: good.User, Password: "wrong"},
		"no such share":    {To: strings.Replace(good.To, "/copie/", "/altro/", 1), User: good.User, Password: good.Password},
		"no such folder":   {To: good.To + "/nessuna", User: good.User, Password: good.Password},
	} {
		p, err := Open(c, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Put(t.Context(), name, strings.NewReader("x")); err == nil {
			t.Errorf("%s: it was taken", what)
		}
		if _, err := p.List(t.Context()); err == nil {
			t.Errorf("%s: something is listed", what)
		}
	}
	if _, err := Open(config.Backup{To: "smb://nas"}, t.TempDir()); err == nil {
		t.Error("a server without a share is a place")
	}
}
