package mail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func TestMailsThatTellOfWhoIsErasedAreNotSentAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostOffice(t)
		p.set(func(p *postOffice) { p.down = true })
		dir := t.TempDir()
		d := openDesk(t, p, dir, server(p))
		for _, about := range []string{"+390612345678", "+393331234567", ""} {
			m := note()
			m.About, m.Text = about, "of "+about
			submit(t, d, m)
		}
		synctest.Wait()
		n, err := d.Erase(func(caller string) bool { return caller == "+390612345678" })
		if n != 1 || err != nil || d.Waiting() != 2 {
			t.Errorf("%d erased, %v, %d wait", n, err, d.Waiting())
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
		if err != nil || len(files) != 2 {
			t.Errorf("%q, %v", files, err)
		}
		for _, f := range files {
			if text, err := os.ReadFile(f); err != nil || strings.Contains(string(text), "612345678") {
				t.Errorf("%s, %v", text, err)
			}
		}
		d.Close()
		again := openDesk(t, p, dir, server(p)) // of the two nothing is lost
		if again.Waiting() != 2 {
			t.Errorf("%d wait after a restart", again.Waiting())
		}
		again.Close()
	})
}
