package label

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/images/imagetest"
)

var box = Label{ID: "7H3K9QXA", Name: "pronto-9qxa", Code: "ABCD2345*", Text: "ABCD-2345-*"}

// drawn paints the squares of a label's QR code, larger.
func drawn(t *testing.T, svg []byte) image.Image {
	t.Helper()
	path, rest, ok := strings.Cut(string(svg), `<path d="`)
	if !ok {
		t.Fatalf("no code in %s", path)
	}
	path, _, _ = strings.Cut(rest, `"`)
	const scale = 8
	canvas := image.NewGray(image.Rect(0, 0, 60*scale, 60*scale))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	for square := range strings.SplitSeq(strings.TrimSuffix(path, "z"), "z") {
		var x, y int
		if _, err := fmt.Sscanf(square, "M%d %dh", &x, &y); err != nil {
			t.Fatalf("square %q: %v", square, err)
		}
		draw.Draw(canvas, image.Rect(x*scale, y*scale, (x+1)*scale, (y+1)*scale), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
	return canvas
}

func TestACameraReadsTheAddressFromTheLabel(t *testing.T) {
	imagetest.Programs(t, "zbarimg")
	var svg, picture bytes.Buffer
	if err := box.SVG(&svg); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&picture, drawn(t, svg.Bytes())); err != nil {
		t.Fatal(err)
	}
	read := exec.Command("zbarimg", "--quiet", "--raw", "-")
	read.Stdin = &picture
	out, err := read.Output()
	if err != nil || strings.TrimSpace(string(out)) != box.Address() {
		t.Errorf("read %q, %v; want %q", out, err, box.Address())
	}
}

func TestTheLabelIsADrawingWithNameCodeAndID(t *testing.T) {
	var svg bytes.Buffer
	if err := box.SVG(&svg); err != nil {
		t.Fatal(err)
	}
	var words []string
	for d := xml.NewDecoder(&svg); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			words = append(words, string(text))
		}
	}
	if got := strings.Join(words, "|"); got != "Pronto|pronto-9qxa.local|ABCD-2345-*|7H3K9QXA" {
		t.Errorf("the label says %q", got)
	}
}

func TestTheTableHasALineForEachBox(t *testing.T) {
	var out bytes.Buffer
	if err := CSV(&out, []Label{box, {ID: "00000001", Name: "pronto-0001", Code: "00000000", Text: "0000-0000"}}); err != nil {
		t.Fatal(err)
	}
	want := "box,name,code,address\n7H3K9QXA,pronto-9qxa.local,ABCD-2345-*,http://pronto-9qxa.local/claim#ABCD2345*\n" +
		"00000001,pronto-0001.local,0000-0000,http://pronto-0001.local/claim#00000000\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}
