package node_test

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/ava-labs/avalanchego/database"
	"github.com/ava-labs/avalanchego/database/memdb"
	"github.com/ava-labs/avalanchego/ids"
)

// witnessKey is where the plugin keeps its witness in the node's database.
const witnessKey = "blobvm/witness"

// journal is a node's database that remembers each write, so that a test can have a machine lose
// the last ones: what an unsynced log loses with the power. A batch is one write, as it is one
// record of leveldb's log.
type journal struct {
	*memdb.Database
	lock   sync.Mutex
	writes [][]database.BatchOp
}

func newJournal() *journal { return &journal{Database: memdb.New()} }

func (j *journal) Put(key, value []byte) error {
	return j.write([]database.BatchOp{{Key: slices.Clone(key), Value: slices.Clone(value)}})
}

func (j *journal) Delete(key []byte) error {
	return j.write([]database.BatchOp{{Key: slices.Clone(key), Delete: true}})
}

func (j *journal) NewBatch() database.Batch { return &journalBatch{journal: j} }

func (j *journal) write(ops []database.BatchOp) error {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.writes = append(j.writes, ops)
	for _, op := range ops {
		if op.Delete {
			if err := j.Database.Delete(op.Key); err != nil {
				return err
			}
		} else if err := j.Database.Put(op.Key, op.Value); err != nil {
			return err
		}
	}
	return nil
}

// length is how many writes there were.
func (j *journal) length() int {
	j.lock.Lock()
	defer j.lock.Unlock()
	return len(j.writes)
}

// prefix is the database as it was after its first writes.
func (j *journal) prefix(writes int) *journal {
	earlier := newJournal()
	for _, ops := range j.writes[:writes] {
		if err := earlier.write(ops); err != nil {
			panic(err)
		}
	}
	return earlier
}

// witness is the height and inner ID of the last block that the plugin was told to accept, as far
// as this database knows; the genesis height if there was none.
func (j *journal) witness() (uint64, ids.ID) {
	record, err := j.Get([]byte(witnessKey))
	if err != nil || len(record) != 1+32+8+32 {
		return 0, ids.Empty
	}
	return binary.BigEndian.Uint64(record[33:]), ids.ID(record[41:])
}

type journalBatch struct {
	database.BatchOps
	journal *journal
}

func (b *journalBatch) Write() error { return b.journal.write(slices.Clone(b.Ops)) }

func (b *journalBatch) Inner() database.Batch { return b }
