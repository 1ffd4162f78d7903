package boottest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/images/layout"
)

// The keeper of the records in this one takes all the memory that it can get, again and again.
func TestAProgramThatTakesAllTheMemoryEndsItselfAndNotTheExchange(t *testing.T) {
	t.Parallel()
	wire := lay(t, 32)
	m := start(t, options{disk: card(t, layout.ImageSize), initrd: "glutton.initramfs", cable: wire})
	wire.answers(t, m)
	fmt.Println(m.says("msg=share service=prontoinit of=recordd", 1))
	m.says(`glutton: begins in "0::/recordd" <nil>, told `, 1)
	for n := range 3 { // each time it is started again the box goes on
		m.says(`a program wanted more memory than its share, and was ended" service=prontoinit of=recordd`, n+1)
		if res, err := browser.Get(wire.page("/healthz")); err != nil {
			t.Fatal(err)
		} else if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("the page: %d, %v", res.StatusCode, err)
		}
	}
	if n := strings.Count(m.text(), `msg="service started" service=prontoinit service=prontod `); n != 1 {
		t.Errorf("the exchange was started %d times\n%s", n, m.text())
	}
	if strings.Contains(m.text(), `was ended" service=prontoinit of=prontod`) {
		t.Error("the exchange was ended, too")
	}
}
