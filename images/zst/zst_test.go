package zst

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text is some megabytes that compress like a program.
func text() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([][]byte, 3000)
	for i := range words {
		words[i] = make([]byte, 3+r.IntN(20))
		for j := range words[i] {
			words[i][j] = byte(r.IntN(256))
		}
	}
	var b bytes.Buffer
	for b.Len() < 5<<20 {
		b.Write(words[r.IntN(len(words))])
	}
	return b.Bytes()
}

// packed compresses a text by writes of a length.
func packed(t testing.TB, text []byte, by int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(text); at += by {
		if _, err := w.Write(text[at:min(len(text), at+by)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The sum is that of amd64, and has to come out on every machine: a box makes again what a vendor has made.
func TestTheSameBytesComeOutOfAnyMachineAndByAnyWrites(t *testing.T) {
	in := text()
	const want = "2c1b77f6af911fd4cdc1fe10d44f3f8032ba822235184b4e5731761402073cbb"
	for _, by := range []int{len(in), 1 << 20, 100_003, 4096} {
		sum := sha256.Sum256(packed(t, in, by))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("by writes of %d bytes: %s, want %s", by, got, want)
		}
	}
	r, err := zstd.NewReader(bytes.NewReader(packed(t, in, 5000)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if out, err := io.ReadAll(r); err != nil || !bytes.Equal(out, in) {
		t.Errorf("%d bytes come back, %v", len(out), err)
	}
}

func TestTheNameIsThatOfTheLibrary(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	module := strings.TrimSuffix(Name, " best")
	if !strings.Contains(string(b), "github.com/"+module+"\n") {
		t.Errorf("go.mod takes another version than %q: call it by that, and boxes with the one before fetch the next release whole", module)
	}
}
