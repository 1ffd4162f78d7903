package alphabet_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/warthog618/sms/encoding/gsm7"
	"github.com/warthog618/sms/encoding/gsm7/charset"

	"github.com/pronto-pbx/pronto/drivers/gsm/alphabet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The race detector judges it: without Ready this is one.
func TestSeveralMayReadAndWriteAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			alphabet.Ready()
			for nli := charset.Default; nli < charset.End; nli++ {
				text, err := gsm7.Decode([]byte{0x41, 0x1b, 0x65}, gsm7.WithCharset(nli), gsm7.WithExtCharset(nli))
				if err != nil || len(text) == 0 {
					t.Errorf("alphabet %d: %q %v", nli, text, err)
				}
			}
			if back, err := gsm7.Encode([]byte("A€")); err != nil || string(back) != "\x41\x1b\x65" {
				t.Errorf("%x %v", back, err)
			}
		})
	}
	all.Wait()
}
