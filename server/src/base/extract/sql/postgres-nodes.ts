/** Nodes of PostgreSQL's parse tree that only compute over rows, and those that stand within statements judged as a whole. A kind that stands in none of these tables makes a statement `unknown`. */
export const expressionNodes = new Set(
  `A_ArrayExpr A_Const AccessPriv AlterTableCmd ColumnDef Constraint FunctionParameter IndexElem ObjectWithArgs PartitionElem RoleSpec TableLikeClause VacuumRelation A_Indices A_Star Alias BitString Boolean BoolExpr BooleanTest CaseExpr CaseWhen CoalesceExpr CollateClause CommonTableExpr CTECycleClause CTESearchClause DefElem Float
  GroupingFunc GroupingSet InferClause Integer JoinExpr JsonAggConstructor JsonArgument JsonArrayAgg JsonArrayConstructor JsonArrayQueryConstructor JsonBehavior JsonFormat JsonFuncExpr
  JsonIsPredicate JsonKeyValue JsonObjectAgg JsonObjectConstructor JsonOutput JsonParseExpr JsonReturning JsonScalarExpr JsonSerializeExpr JsonTable JsonTableColumn JsonTablePathSpec
  JsonValueExpr List LockingClause MergeWhenClause MinMaxExpr MultiAssignRef NamedArgExpr NullTest OnConflictClause ParamRef PartitionBoundSpec RangeFunction RangeSubselect RangeTableFunc RangeTableFuncCol
  ResTarget ReturningOption RowExpr SetToDefault SortBy SQLValueFunction String SubLink TypeCast TypeName VariableShowStmt WindowDef XmlExpr XmlSerialize`.split(/\s+/),
);

/** Statements that change rows or the shape of things. */
export const changing = new Map<string, "write" | "schema">([
  ...["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"].map((kind) => [kind, "write"] as const),
  ...["TruncateStmt", "DropStmt", "AlterTableStmt", "CreateStmt", "CreateTableAsStmt", "ViewStmt", "IndexStmt", "RenameStmt", "CommentStmt", "CreateSchemaStmt", "CreateSeqStmt", "AlterSeqStmt"].map(
    (kind) => [kind, "schema"] as const,
  ),
  ...["CreateEnumStmt", "AlterEnumStmt", "CompositeTypeStmt", "CreateDomainStmt", "AlterDomainStmt", "AlterObjectSchemaStmt", "CreateStatsStmt", "RefreshMatViewStmt", "DropOwnedStmt"].map(
    (kind) => [kind, "schema"] as const,
  ),
]);

/** Statements that run code, reach out, lift a rule, or change what later statements mean. */
export const administering = new Set(
  `AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt AlterDatabaseStmt AlterDefaultPrivilegesStmt AlterEventTrigStmt AlterExtensionContentsStmt AlterExtensionStmt AlterFdwStmt AlterForeignServerStmt
  AlterFunctionStmt AlterOperatorStmt AlterOwnerStmt AlterPolicyStmt AlterPublicationStmt AlterRoleSetStmt AlterRoleStmt AlterSubscriptionStmt AlterSystemStmt AlterUserMappingStmt CallStmt CheckPointStmt
  ClosePortalStmt ClusterStmt CreateCastStmt CreateConversionStmt CreateEventTrigStmt CreateExtensionStmt CreateFdwStmt CreateForeignServerStmt CreateForeignTableStmt CreateFunctionStmt CreateOpClassStmt
  CreatePLangStmt CreatePolicyStmt CreatePublicationStmt CreateRoleStmt CreateSubscriptionStmt CreateTransformStmt CreateTrigStmt CreateUserMappingStmt CreatedbStmt DeallocateStmt DeclareCursorStmt DefineStmt
  DiscardStmt DoStmt DropRoleStmt DropSubscriptionStmt DropTableSpaceStmt DropUserMappingStmt DropdbStmt ExecuteStmt FetchStmt GrantRoleStmt GrantStmt ImportForeignSchemaStmt ListenStmt LoadStmt LockStmt
  NotifyStmt PrepareStmt ReassignOwnedStmt ReindexStmt ReplicaIdentityStmt RuleStmt SecLabelStmt ConstraintsSetStmt TransactionStmt UnlistenStmt VacuumStmt VariableSetStmt`.split(/\s+/),
);

/** Changes of a table that lift a rule or hand it on. */
export const liftingCommands = /"AT_(Disable|Enable|NoForce|Force)\w*"|"AT_ChangeOwner"/;
