-- Who sent a captured document to whom, and under which number, as its header says (SBDH, or sender and receiver in
-- JSON). Nobody checks it.
ALTER TABLE capture_job ADD COLUMN sender TEXT;
ALTER TABLE capture_job ADD COLUMN receiver TEXT;
ALTER TABLE capture_job ADD COLUMN instance_identifier TEXT;
