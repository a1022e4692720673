/**
 * Functions that only compute or tell: they change nothing, run no text as SQL, reach no file and no network, take no lock. Whatever is not
 * here makes a statement `unknown`, whoever wrote the function. Names are those of PostgreSQL's, SQLite's, MySQL's and others' manuals; a name
 * that means something else anywhere is left out.
 */
const pure = new Set(
  `abs acos age any_value array_agg array_append array_cat array_contains array_length array_lower array_ndims array_position array_positions array_prepend array_remove
  array_replace array_to_json array_to_string array_upper ascii asin atan atan2 avg bit_and bit_length bit_or bit_xor bool_and bool_or broadcast btrim cardinality
  cast cbrt ceil ceiling char char_length character_length charindex chr clock_timestamp coalesce col_description collation concat concat_ws convert convert_from convert_to
  corr cos cosh cot count countif covar_pop covar_samp cume_dist curdate current_catalog current_database current_date current_role current_schema current_schemas
  current_setting current_time current_timestamp current_user curtime database date date_add date_bin date_diff date_format date_part date_sub date_trunc dateadd datediff
  datename datepart datetime datetrunc day dayname dayofmonth dayofweek dayofyear decode degrees dense_rank div eomonth encode every exp extract field find_in_set first_value
  floor format format_type from_days from_unixtime gen_random_uuid generate_series generate_subscripts getdate getutcdate glob greatest group_concat grouping has_any_column_privilege
  has_column_privilege has_database_privilege has_function_privilege has_schema_privilege has_sequence_privilege has_table_privilege height hex hour iff ifnull iif indexof initcap
  inet_client_addr inet_server_addr instr isdate isfinite isnull isnumeric json json_agg json_array json_array_elements json_array_elements_text json_array_length json_arrayagg json_build_array json_build_object
  json_contains json_each json_each_text json_extract json_extract_path json_extract_path_text json_extract_scalar json_group_array json_group_object json_keys json_length json_object json_object_agg json_object_keys
  json_objectagg json_query json_search json_strip_nulls json_to_record json_to_recordset json_tree json_type json_typeof json_unquote json_valid json_value jsonb_agg jsonb_array_elements
  jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object_agg jsonb_object_keys
  jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof julianday
  justify_days justify_hours justify_interval lag last_day last_value lcase lead least left len length like likelihood likely listagg ln localtime localtimestamp locate log log10 log2
  lower lpad ltrim make_date make_interval make_time make_timestamp make_timestamptz max md5 median mid min minute mod mode month monthname now nth_value ntile nullif num_nonnulls num_nulls
  nvl nvl2 obj_description octet_length ord overlay parse_ident patindex percent_rank percentile_cont percentile_disc period_add period_diff pg_backend_pid pg_column_size pg_database_size
  pg_encoding_to_char pg_get_constraintdef pg_get_expr pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result pg_get_functiondef pg_get_indexdef
  pg_get_keywords pg_get_ruledef pg_get_serial_sequence pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_indexes_size pg_is_in_recovery pg_postmaster_start_time pg_relation_size
  pg_size_pretty pg_table_is_visible pg_table_size pg_tablespace_size pg_total_relation_size pg_type_is_visible pg_typeof pi plainto_tsquery phraseto_tsquery position pow power printf quarter
  quote quote_ident quote_literal quote_nullable quotename radians rand random rank regexp_contains regexp_count regexp_extract regexp_instr regexp_like regexp_match regexp_matches regexp_replace
  regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope repeat replace replicate reverse right round row_number row_to_json rpad
  rtrim safe_cast safe_divide schema sec_to_time second session_user setweight sha1 sha2 sha224 sha256 sha384 sha512 shobj_description sign sin sinh soundex space split_part sqrt square
  starts_with statement_timestamp stddev stddev_pop stddev_samp str strcmp strftime string_agg string_split string_to_array string_to_table strpos struct stuff substr substring
  substring_index sum sysdate sysdatetime tan tanh time time_format time_to_sec timediff timeofday timestamp timestampadd timestampdiff to_ascii to_base64 to_bin to_char to_date to_days to_hex
  to_json to_json_string to_jsonb to_number to_regclass to_regnamespace to_regproc to_regrole to_regtype to_timestamp to_tsquery to_tsvector total transaction_timestamp translate
  trim trunc truncate try_cast try_convert try_to_date try_to_number ts_headline ts_rank ts_rank_cd typeof ucase unhex unicode unistr unix_timestamp unixepoch unnest upper user utc_date utc_time
  utc_timestamp uuid uuidv4 uuidv7 var_pop var_samp variance version websearch_to_tsquery week weekday weekofyear width_bucket xmlagg xmlcomment xmlconcat year yearweek zeroblob`
    .split(/\s+/)
    .filter(Boolean),
);

/** Functions whose use is to run the server, to reach its files or other machines, or to lift a rule. */
const administer =
  /^(dblink|lo_(im|ex)port|load_(file|extension)|openrowset|opendatasource|openquery|xp_|sp_|utl_|dbms_|set_config|pg_(read|write|ls|stat_file|current_logfile|file|terminate|cancel|reload|rotate|switch|create|drop|promote|wal|log|start|stop|backup|logical|replication|import|execute|sync|advisory))/;

/** Functions that change what the next statement sees, or take a lock. */
const change = /^(nextval|setval|setseed|lo_(create|creat|open|put|from_bytea|unlink|truncate)|lowrite|pg_notify|get_lock|release_lock|last_insert_id)$/;

/** How bad a call of it is by its name alone. */
export function functionClass(name: string): "read" | "write" | "admin" | "unknown" {
  if (pure.has(name)) return "read";
  if (administer.test(name)) return "admin";
  return change.test(name) ? "write" : "unknown";
}

/** PostgreSQL calls `f(x)` for `x.f` where x has no column f: a column named as what does harm is taken for the call. */
export const columnClass = (name: string): "read" | "write" | "admin" | "unknown" => {
  const as = functionClass(name);
  return as === "unknown" && !/^(pg_|lo_|query_to|cursor_to|table_to|schema_to|database_to|ts_stat)/.test(name) ? "read" : as;
};
