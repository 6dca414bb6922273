-- What is new in a GIN index waits in a list that every search reads through, and that one unlucky
-- writer sorts in when it is full. Of the usual 4 MB, 60,000 leases with 400 batches of 128 claims made
-- searches three times as slow and one claim ten times; a shorter list costs the writers no more.
ALTER INDEX "leases_targets_idx" SET (gin_pending_list_limit = 256);
ALTER INDEX "leases_fingerprints_idx" SET (gin_pending_list_limit = 256);
