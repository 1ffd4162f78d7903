package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	for _, f := range []Format{
		{PCM16, 1, 8000}, {PCM16, 2, 16000}, {ALaw, 1, 8000}, {ALaw, 2, 8000}, {MuLaw, 1, 8000}, {MuLaw, 2, 48000},
	} {
		// Values that both laws keep, in a number that is odd and longer than the reader's buffer.
		pcm := make([]int16, 9001)
		for i := range pcm {
			pcm[i] = codec.ALawToLinear(byte(i))
			if f.Encoding == MuLaw {
				pcm[i] = codec.MuLawToLinear(byte(i))
			}
		}
		var b bytes.Buffer
		if err := Write(&b, f, pcm); err != nil {
			t.Fatal(err)
		}
		if b.Len()%2 != 0 || int(binary.LittleEndian.Uint32(b.Bytes()[4:])) != b.Len()-8 {
			t.Errorf("%+v: %d bytes, RIFF says %d", f, b.Len(), binary.LittleEndian.Uint32(b.Bytes()[4:]))
		}
		r, err := NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.ReadAll(len(pcm))
		if err != nil || r.Format != f || !slices.Equal(got, pcm) {
			t.Errorf("%+v: read %d samples as %+v, %v", f, len(got), r.Format, err)
		}
	}
}

// chunk is a RIFF chunk.
func chunk(name string, body []byte) []byte {
	b := append([]byte(name), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 != 0 {
		b = append(b, 0)
	}
	return b
}

func file(chunks ...[]byte) []byte {
	return append([]byte("RIFF\x00\x00\x00\x00WAVE"), slices.Concat(chunks...)...)
}

func format(tag, channels uint16, rate uint32, bits uint16, extra ...byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, tag)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, bits)
	return chunk("fmt ", append(b, extra...))
}

func TestOtherPeoplesFilesAreRead(t *testing.T) {
	data := chunk("data", []byte{1, 0, 2, 0})
	for name, body := range map[string][]byte{
		"with other chunks of odd length before the sound": file(chunk("LIST", []byte("abc")), format(1, 1, 8000, 16), chunk("fact", []byte{1}), data),
		"with an extensible format":                        file(format(0xFFFE, 1, 8000, 16, 22, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113), data),
		"with a length that the file does not have":        file(format(1, 1, 8000, 16), []byte("data\xff\xff\xff\xff\x01\x00\x02\x00")),
		"cut within a sample":                              file(format(1, 1, 8000, 16), []byte("data\xff\xff\xff\xff\x01\x00\x02\x00\x03")),
	} {
		r, err := NewReader(bytes.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if pcm, err := r.ReadAll(10); err != nil || !slices.Equal(pcm, []int16{1, 2}) {
			t.Errorf("%s: %v, %v", name, pcm, err)
		}
	}
}

func TestWhatSoundEditorsWriteIsReadAsSixteenBits(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want []int16
	}{
		"8 bits without a sign": {file(format(1, 1, 8000, 8), chunk("data", []byte{0, 128, 255})), []int16{-32768, 0, 32512}},
		"24 bits":               {file(format(1, 1, 8000, 24), chunk("data", []byte{9, 1, 0, 9, 255, 127, 9, 0, 128})), []int16{1, 32767, -32768}},
		"32 bits":               {file(format(1, 1, 8000, 32), chunk("data", []byte{9, 9, 2, 0, 9, 9, 254, 255})), []int16{2, -2}},
		"floating point":        {file(format(3, 1, 8000, 32), chunk("data", []byte{0, 0, 0, 63, 0, 0, 0, 192, 0, 0, 192, 127})), []int16{16384, -32768, 0}}, // 0.5, -2, no number
	} {
		r, err := NewReader(bytes.NewReader(c.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Samples() != len(c.want) {
			t.Errorf("%s: %d samples by the header", name, r.Samples())
		}
		if pcm, err := r.ReadAll(10); err != nil || !slices.Equal(pcm, c.want) || r.Encoding != PCM16 {
			t.Errorf("%s: %v as %d, %v", name, pcm, r.Encoding, err)
		}
	}
}

func TestFilesThatAreNotOursAreRefused(t *testing.T) {
	data := chunk("data", []byte{1, 0})
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"nothing":                  {nil, ErrMalformed},
		"another kind of file":     {[]byte("OggS________"), ErrMalformed},
		"no sound":                 {file(format(1, 1, 8000, 16)), ErrMalformed},
		"sound before its format":  {file(data), ErrMalformed},
		"a short format":           {file(chunk("fmt ", []byte{1, 0}), data), ErrMalformed},
		"an endless format":        {file(chunk("fmt ", make([]byte, 1000)), data), ErrMalformed},
		"a cut format":             {file([]byte("fmt \x10\x00\x00\x00\x01")), ErrMalformed},
		"a cut chunk":              {file([]byte("LIST\x10\x00\x00\x00\x01")), ErrMalformed},
		"an endless chunk":         {file([]byte("LIST\xff\xff\xff\xff\x01")), ErrMalformed},
		"MP3 inside":               {file(format(0x55, 1, 8000, 16), data), ErrUnsupported},
		"ADPCM of Microsoft":       {file(format(2, 1, 8000, 4), data), ErrUnsupported},
		"ADPCM of IMA":             {file(format(0x11, 1, 8000, 4), data), ErrUnsupported},
		"20 bits":                  {file(format(1, 1, 8000, 20), data), ErrUnsupported},
		"floating point of 64":     {file(format(3, 1, 8000, 64), data), ErrUnsupported},
		"16 bits of A-law":         {file(format(6, 1, 8000, 16), data), ErrUnsupported},
		"six channels":             {file(format(1, 6, 8000, 16), data), ErrUnsupported},
		"no channel":               {file(format(1, 0, 8000, 16), data), ErrUnsupported},
		"a rate of zero":           {file(format(1, 1, 0, 16), data), ErrUnsupported},
		"a rate beyond 32 bits":    {file(format(1, 1, 1<<31, 16), data), ErrUnsupported},
		"more chunks than allowed": {file(bytes.Repeat(chunk("LIST", nil), maxHeader/8)), ErrMalformed},
	} {
		if _, err := NewReader(bytes.NewReader(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSoundBeyondTheLimitIsAnError(t *testing.T) {
	r, err := NewReader(bytes.NewReader(file(format(1, 1, 8000, 16), chunk("data", make([]byte, 100)))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAll(49); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func TestAReadErrorIsNotTheEnd(t *testing.T) {
	broken := errors.New("the card is gone")
	head := file(format(1, 1, 8000, 16), []byte("data\xff\xff\xff\xff\x01\x00"))
	r, err := NewReader(io.MultiReader(bytes.NewReader(head), failing{broken}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAll(1000); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

func TestHeadersOfHugeOrUnknownSoundsStayInRange(t *testing.T) {
	h, err := NewHeader(Format{PCM16, 2, 8000}, 1<<40)
	if err != nil || binary.LittleEndian.Uint32(h[40:]) != 1<<32-1-HeaderBytes {
		t.Errorf("% x, %v", h, err)
	}
	if _, err := NewHeader(Format{99, 1, 8000}, 0); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if err := Write(io.Discard, Format{PCM16, 1, 4000}, nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func FuzzReader(f *testing.F) {
	for _, e := range []Encoding{PCM16, ALaw, MuLaw} {
		var b bytes.Buffer
		if err := Write(&b, Format{e, 1, 8000}, []int16{1, 2, 3}); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add(file(format(1, 2, 44100, 24), chunk("data", []byte("abcdefg"))))
	f.Add(file(format(3, 1, 48000, 32), chunk("data", []byte("abcd"))))
	f.Add(file(chunk("LIST", []byte("abc")), format(0xFFFE, 2, 8000, 8, 22, 0, 8, 0, 0, 0, 0, 0, 6, 0)))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := NewReader(bytes.NewReader(body))
		if err != nil {
			return
		}
		pcm, err := r.ReadAll(len(body))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if len(pcm)*r.size > len(body) || r.check() != nil {
			t.Fatalf("%d samples from %d bytes as %+v", len(pcm), len(body), r.Format)
		}
		var again bytes.Buffer
		if err := Write(&again, r.Format, pcm); err != nil {
			t.Fatal(err)
		}
	})
}
