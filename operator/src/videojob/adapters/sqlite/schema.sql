-- The SQLite result file. Columns are named as in results/aggregate/document.py: *_pts are ticks of the video's time base, *_ms
-- milliseconds from its first frame, *_ppm scores in parts per million, boxes whole source pixels.
-- Every statement may run again: processes that open a new file at the same moment do not disturb each other.
begin immediate;

create table if not exists runs (
  run_id integer primary key,
  uid text not null,
  epoch integer not null,
  namespace text not null,
  name text not null,
  plan_digest text not null,
  segments integer not null,
  state text not null default 'Running',
  unique (uid, epoch)
);

create table if not exists segments (
  run_id integer not null references runs,
  segment integer not null,
  video integer not null,
  start_pts integer,
  end_pts integer,
  frames_decoded integer not null,
  frames_selected integer not null,
  frames_gated integer not null,
  digest text not null,
  wall_us integer not null,
  decode_us integer not null,
  prepare_us integer not null,
  transport_us integer not null,
  boxes_us integer not null,
  aggregate_us integer not null,
  wait_us integer not null,
  decode_wait_us integer not null,
  retries integer not null,
  peak_rss_bytes integer not null,
  primary key (run_id, segment)
);

create table if not exists windows (
  run_id integer not null,
  segment integer not null,
  window integer not null,
  frames integer not null,
  foreign key (run_id, segment) references segments
);

create table if not exists window_classes (
  run_id integer not null,
  segment integer not null,
  window integer not null,
  class_id integer not null,
  detections integer not null,
  frames integer not null,
  max_at_once integer not null,
  score_sum_ppm integer not null,
  score_max_ppm integer not null,
  foreign key (run_id, segment) references segments
);

create table if not exists presence (
  run_id integer not null,
  segment integer not null,
  class_id integer not null,
  first_ms integer not null,
  last_ms integer not null,
  peak_ms integer not null,
  peak_score_ppm integer not null,
  x_min integer not null,
  y_min integer not null,
  x_max integer not null,
  y_max integer not null,
  foreign key (run_id, segment) references segments
);

create table if not exists tracks (
  run_id integer not null,
  segment integer not null,
  track_id integer not null,
  class_id integer not null,
  first_ms integer not null,
  last_ms integer not null,
  first_x_min integer not null,
  first_y_min integer not null,
  first_x_max integer not null,
  first_y_max integer not null,
  last_x_min integer not null,
  last_y_min integer not null,
  last_x_max integer not null,
  last_y_max integer not null,
  foreign key (run_id, segment) references segments
);

create table if not exists gaps (
  run_id integer not null,
  segment integer not null,
  start_ms integer not null,
  end_ms integer not null,
  reason text not null,
  foreign key (run_id, segment) references segments
);

create index if not exists windows_by_segment on windows (run_id, segment);
create index if not exists window_classes_by_segment on window_classes (run_id, segment);
create index if not exists presence_by_segment on presence (run_id, segment);
create index if not exists tracks_by_segment on tracks (run_id, segment);
create index if not exists gaps_by_segment on gaps (run_id, segment);

create table if not exists summaries (
  run_id integer primary key references runs,
  digest text not null,
  summary text not null
);

create table if not exists outbox (
  run_id integer primary key references runs,
  notification text not null,
  published integer not null default 0
);

-- Views for people. Label, uri and start_s are known once the run is finished.

create view if not exists windows_view as
select
  runs.name as job,
  runs.epoch,
  segments.video,
  (
    select json_extract(value, '$.uri') from json_each(summaries.summary, '$.videos')
    where json_extract(value, '$.video') = segments.video
  ) as uri,
  window_classes.window,
  window_classes.window * json_extract(summaries.summary, '$.settings.window_ms') / 1000.0 as start_s,
  window_classes.class_id,
  json_extract(summaries.summary, '$.job.labels[' || window_classes.class_id || ']') as label,
  sum(window_classes.detections) as detections,
  sum(window_classes.frames) as frames,
  max(window_classes.max_at_once) as max_at_once,
  round(sum(window_classes.score_sum_ppm) / 1e6 / sum(window_classes.detections), 6) as mean_score,
  max(window_classes.score_max_ppm) / 1e6 as max_score
from window_classes
join segments using (run_id, segment)
join runs using (run_id)
left join summaries using (run_id)
group by run_id, segments.video, window_classes.window, window_classes.class_id;

-- Intervals of single segments: one that crosses a border is two rows here and one in the summary.
create view if not exists presence_view as
select
  runs.name as job,
  runs.epoch,
  segments.video,
  (
    select json_extract(value, '$.uri') from json_each(summaries.summary, '$.videos')
    where json_extract(value, '$.video') = segments.video
  ) as uri,
  presence.class_id,
  json_extract(summaries.summary, '$.job.labels[' || presence.class_id || ']') as label,
  presence.first_ms / 1000.0 as first_s,
  presence.last_ms / 1000.0 as last_s,
  presence.peak_ms / 1000.0 as peak_s,
  presence.peak_score_ppm / 1e6 as peak_score,
  presence.x_min,
  presence.y_min,
  presence.x_max,
  presence.y_max
from presence
join segments using (run_id, segment)
join runs using (run_id)
left join summaries using (run_id);

create view if not exists progress_view as
select
  runs.name as job,
  runs.epoch,
  runs.state,
  runs.segments as segments_planned,
  count(segments.segment) as segments_done,
  coalesce(sum(segments.frames_selected), 0) as frames
from runs
left join segments using (run_id)
group by runs.run_id;

pragma user_version = 2;
commit;
