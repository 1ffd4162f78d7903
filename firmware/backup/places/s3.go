package places

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// bucket is a prefix in an S3 store: s3://host/bucket/prefix, s3+http for one without TLS in the own network.
type bucket struct {
	client *minio.Client
	name   string
	prefix string
	spool  string
}

func newBucket(at *url.URL, c config.Backup, spool string) (backup.Place, error) {
	b := bucket{spool: spool}
	if b.name, b.prefix = split(at.Path); b.name == "" {
		return nil, fmt.Errorf("%s names no bucket: write s3://host/bucket", at)
	}
	var err error
	b.client, err = minio.New(at.Host, &minio.Options{
		Creds: credentials.NewStaticV4(c.User, string(c.Password), ""), Secure: at.Scheme == "s3", Region: c.Region,
		BucketLookup: minio.BucketLookupPath, Transport: &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: answerIn},
	})
	return b, err
}

// Put implements backup.Place. An object appears whole or not at all.
func (b bucket) Put(ctx context.Context, name string, body io.Reader) error {
	return spooled(b.spool, body, func(f *os.File, size int64) error {
		_, err := b.client.PutObject(ctx, b.name, path.Join(b.prefix, name), f, size, minio.PutObjectOptions{
			ContentType: "application/octet-stream", PartSize: 16 << 20, NumThreads: 1,
		})
		return err
	})
}

// Get implements backup.Place.
func (b bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	return b.client.GetObject(ctx, b.name, path.Join(b.prefix, name), minio.GetObjectOptions{})
}

// List implements backup.Place.
func (b bucket) List(ctx context.Context) (names []string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prefix := b.prefix
	if prefix != "" {
		prefix += "/"
	}
	for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix}) {
		if o.Err != nil {
			return nil, o.Err
		}
		names = append(names, strings.TrimPrefix(o.Key, prefix))
	}
	return onlyBackups(names), nil
}

// Delete implements backup.Place.
func (b bucket) Delete(ctx context.Context, name string) error {
	return b.client.RemoveObject(ctx, b.name, path.Join(b.prefix, name), minio.RemoveObjectOptions{})
}
