-- Readers who want no letters for a while: until when.
ALTER TABLE subscribers ADD COLUMN paused_until INTEGER;
