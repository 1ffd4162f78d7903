package uitest

import (
	"testing"
	"time"
)

// What a browser with nothing in store is really sent for the live page: packed, and less than 30 kB.
func thePageComesPacked(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", Busy(time.Now()))
	p := b.Open(t, o.url("?lang=it"), Look{Width: 390, Height: 844})
	p.Wait(t, isLive)
	var sent, whole, files int
	p.Eval(t, `(() => {
		const all = [performance.getEntriesByType("navigation")[0], ...performance.getEntriesByType("resource").filter((r) => r.initiatorType !== "fetch" && !r.name.includes("/live?"))];
		window.weighed = { sent: all.reduce((n, r) => n + r.encodedBodySize, 0), whole: all.reduce((n, r) => n + r.decodedBodySize, 0), files: all.length };
		return weighed.sent;
	})()`, &sent)
	p.Eval(t, `weighed.whole`, &whole)
	p.Eval(t, `weighed.files`, &files)
	t.Logf("%d bytes in %d files on the wire, %d unpacked", sent, files, whole)
	if files < 3 || sent == 0 || sent > 30<<10 || whole < 2*sent {
		t.Errorf("%d bytes in %d files on the wire, %d unpacked", sent, files, whole)
	}
}
